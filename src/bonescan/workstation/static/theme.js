// Runs before the first paint, so that whoever chose light sees no dark flash. Not a module: modules wait.
(() => {
  try {
    document.documentElement.dataset.theme = localStorage.getItem("theme") === "light" ? "light" : "dark";
  } catch {
    document.documentElement.dataset.theme = "dark";
  }
})();
