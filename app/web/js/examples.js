/* A click on an example puts it into the prompt. */

const prompt = document.querySelector("#prompt");

for (const example of document.querySelectorAll("#examples button")) {
  example.addEventListener("click", () => {
    prompt.value = example.textContent;
    prompt.focus();
  });
}
