// Shows a secret that stands behind dots, and copies it, shown or not. Copies other texts too.
for (const box of document.querySelectorAll("[data-secret]")) {
  const field = box.querySelector("#secret");
  const show = box.querySelector("[data-show]");
  show.addEventListener("click", () => {
    const isHidden = field.type === "password";
    field.type = isHidden ? "text" : "password";
    show.textContent = isHidden ? "Hide" : "Show";
  });
}

for (const copy of document.querySelectorAll("[data-copy]")) {
  const from = document.getElementById(copy.dataset.copy);
  const said = document.getElementById(copy.dataset.said);
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(from.value ?? from.textContent);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "The browser did not copy it: show it, and copy it by hand.";
    }
  });
}
