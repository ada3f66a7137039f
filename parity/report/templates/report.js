"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const PRINTED_WIDTH = 680; // pixels of an A4 page within its margins

// Charts name their colours as CSS variables, so that they follow the theme.
function themed(text) {
  const style = getComputedStyle(document.documentElement);
  return text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
}

function draw(element, width) {
  const figure = JSON.parse(themed(JSON.stringify(figures[element.id])));
  const layout = { ...figure.layout, autosize: !width, ...(width && { width }) };
  Plotly.react(element, figure.data, layout, { displayModeBar: false, responsive: true, scrollZoom: false });
}

const drawable = () => [...document.querySelectorAll(".chart")].filter((element) => element.offsetParent);
const drawAll = (width) => drawable().forEach((element) => draw(element, width));

drawAll();
document.querySelectorAll("details").forEach((block) =>
  block.addEventListener("toggle", () => block.open && drawAll()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
addEventListener("beforeprint", () => {
  document.documentElement.classList.add("printing");
  drawAll(PRINTED_WIDTH);
});
addEventListener("afterprint", () => {
  document.documentElement.classList.remove("printing");
  drawAll();
});

const value = (row, column) => {
  const cell = row.cells[column];
  return cell.dataset.value ?? cell.textContent.trim();
};

function compare(a, b) {
  if (a === "" || b === "") return (a === "") - (b === "");
  return isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { numeric: true }) : a - b;
}

document.querySelectorAll("th button").forEach((button) =>
  button.addEventListener("click", () => {
    const header = button.closest("th");
    const descending = header.getAttribute("aria-sort") === "ascending";
    header.parentElement.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const body = header.closest("table").tBodies[0];
    const sorted = [...body.rows].sort((a, b) => compare(value(a, header.cellIndex), value(b, header.cellIndex)));
    body.append(...(descending ? sorted.reverse() : sorted));
  }));

document.getElementById("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([document.getElementById("data").textContent], { type: "application/json" }));
  link.download = "report.json";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
});
