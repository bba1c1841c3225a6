// Where a chart is wider than the screen, its last days are looked at first.
for (const chart of document.querySelectorAll(".chart")) {
  const around = chart.closest(".scroll");
  around.scrollLeft = around.scrollWidth;
}

// Times come in UTC; only the browser knows the person's zone.
const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) {
    time.title = time.textContent;
    time.textContent = format.format(at);
  }
}
