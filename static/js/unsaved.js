// Leaving a page with several forms asks first if a form that is not being sent has changes.

function isChanged(field) {
  if (["checkbox", "radio"].includes(field.type)) return field.checked !== field.defaultChecked;
  if (field.type === "select-one") {
    const first = [...field.options].findIndex((option) => option.defaultSelected);
    return field.selectedIndex !== Math.max(first, 0);
  }
  // Browsers fill in passwords by themselves.
  return ["text", "number", "time", "email"].includes(field.type) && field.value !== field.defaultValue;
}

let sent = null;
document.addEventListener("submit", ({ target }) => { sent = target; });
window.addEventListener("beforeunload", (event) => {
  const others = [...document.querySelectorAll(".account-form")].filter((form) => form !== sent);
  if (others.some((form) => [...form.elements].some(isChanged))) event.preventDefault();
  sent = null;
});
