"use strict";
const PRINTED_WIDTH = 680; // pixels of an A4 page within its margins

// What is embedded is compressed: plotly's code, the charts, and the pictures or the record of a comparison.
async function unpack(id) {
  const packed = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

// Charts name their colours as CSS variables, so that they follow the theme.
function themed(text) {
  const style = getComputedStyle(document.documentElement);
  return text.replace(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
}

async function main() {
  const figures = JSON.parse(await unpack("figures"));
  const plotly = document.createElement("script");
  plotly.textContent = await unpack("plotly");
  document.head.append(plotly);

  function draw(element, width) {
    const figure = JSON.parse(themed(JSON.stringify(figures[element.id])));
    const layout = { ...figure.layout, autosize: !width, ...(width && { width }) };
    Plotly.react(element, figure.data, layout, { displayModeBar: false, responsive: true, scrollZoom: false });
  }

  function drawAll(width, within = document) {
    [...within.querySelectorAll(".chart")].filter((element) => element.offsetParent)
      .forEach((element) => draw(element, width));
  }

  drawAll();
  document.querySelectorAll("details").forEach((block) =>
    block.addEventListener("toggle", () => block.open && drawAll(0, block)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    drawAll(PRINTED_WIDTH);
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    drawAll();
  });

  const data = JSON.parse(await unpack("data"));
  document.querySelectorAll("img[data-picture]").forEach((image) => { image.src = data[image.dataset.picture]; });
}

document.getElementById("download")?.addEventListener("click", async () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([await unpack("data")], { type: "application/json" }));
  link.download = document.getElementById("download").dataset.file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
});

main();
