// A form that changes something is sent once, however often its button is clicked.
const sent = new WeakSet();
document.addEventListener("submit", (event) => {
  if (event.target.method !== "post") {
    return;
  }
  if (sent.has(event.target)) {
    event.preventDefault();
  }
  sent.add(event.target);
});

// Who comes back to the page may send it again.
addEventListener("pageshow", () => {
  for (const form of document.forms) {
    sent.delete(form);
  }
});
