// What a cell is sorted by: its number; or, of the head of a row, what places it and then what it is about.
const value = (row, column) => {
  const cell = row.cells[column];
  const number = cell.dataset.value ?? cell.style.getPropertyValue("--share");
  const places = cell.querySelector("small");
  if (cell.matches("[data-value], .bar")) return number;
  return places ? `${places.textContent} ${cell.firstChild.textContent}` : cell.textContent.trim();
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
