// A form that changes something is sent once, however often its button is clicked.
const sent = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") {
    return;
  }
  if (sent.has(form)) {
    event.preventDefault();
    return;
  }
  sent.add(form);
  // Who stopped it meanwhile may send it again.
  setTimeout(() => sent.delete(form), 10_000);
});

// So may who comes back to the page.
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    sent.delete(form);
  }
});
