"use strict";
// Explains a word where it stands: as the title of what the glossary says it is about.

function explainWords(glossary) {
  for (const term of glossary.querySelectorAll("dt[data-of]")) {
    for (const place of document.querySelectorAll(term.dataset.of)) {
      place.title = term.nextElementSibling.textContent;
    }
  }
}
