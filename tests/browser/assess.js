// Runs in the page; returns a list of sentences, one for each thing that is wrong with it.
() => {
  const found = [];
  const say = (what, element) =>
    found.push(what + (element ? ": " + element.outerHTML.slice(0, 140) : ""));
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && getComputedStyle(element).visibility !== "hidden";
  };
  const named = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    return (element.getAttribute("aria-label") ?? element.textContent ?? "").trim();
  };

  if (!document.documentElement.lang) say("no language");
  if (!document.title.trim()) say("no title");
  for (const [selector, name] of [["main", "main"], ["header", "banner"], ["footer", "contentinfo"]])
    if (document.querySelectorAll(selector).length !== 1) say("not exactly one " + name);
  for (const nav of document.querySelectorAll("nav")) if (!named(nav)) say("unnamed navigation", nav);
  const skip = document.querySelector("a[href='#main']");
  if (!skip || document.querySelector("a") !== skip) say("the first link does not skip to the content");

  const levels = [...document.querySelectorAll("h1,h2,h3,h4")].filter(shown).map((h) => Number(h.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) say("not exactly one h1");
  levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) say("a heading level is skipped: h" + levels[at - 1] + " to h" + level); });

  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) say("id used twice: " + id);
  for (const attribute of ["aria-describedby", "aria-labelledby", "for"])
    for (const element of document.querySelectorAll("[" + attribute + "]"))
      for (const id of element.getAttribute(attribute).trim().split(/\s+/))
        if (!document.getElementById(id)) say(attribute + " of nothing", element);

  for (const field of document.querySelectorAll("input:not([type=hidden]),select,textarea"))
    if (![...(field.labels ?? [])].some((label) => label.textContent.trim())) say("unlabelled field", field);
  for (const group of document.querySelectorAll("fieldset"))
    if (!group.querySelector(":scope > legend")?.textContent.trim()) say("group without legend", group);
  for (const element of document.querySelectorAll("a[href],button,summary"))
    if (!named(element)) say("nothing to call it by", element);
  for (const picture of document.querySelectorAll("img:not([alt]),svg:not([aria-hidden]):not([role=img] svg):not([role=img])"))
    say("picture without words", picture);
  for (const table of document.querySelectorAll("table")) {
    if (!table.caption?.textContent.trim()) say("table without caption", table);
    if ([...table.querySelectorAll("thead th")].some((cell) => cell.scope !== "col")) say("column without scope", table);
  }

  for (const target of document.querySelectorAll("button,.button,select,textarea,input:not([type=hidden])")) {
    if (!shown(target)) continue;
    const box = target.getBoundingClientRect();
    if (["checkbox", "radio"].includes(target.type)) { if (box.height < 18) say("box too small", target); }
    else if (box.height < 24 || box.width < 24) say("target smaller than 24 px", target);
  }

  const numbers = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number);
    return parts.length > 3 ? parts : [...parts, 1];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return numbers(getComputedStyle(document.body).backgroundColor);
  };
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !shown(element) || element.closest("option,.for-readers")) continue;
    const style = getComputedStyle(element);
    const colour = numbers(element.closest("svg") ? style.fill : style.color);
    const [low, high] = [luminance(colour), luminance(ground(element))].sort((a, b) => a - b);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if ((high + 0.05) / (low + 0.05) < (large ? 3 : 4.5)) say("contrast " + ((high + 0.05) / (low + 0.05)).toFixed(2), element);
  }

  if (document.documentElement.scrollWidth > innerWidth)
    say("wider than its window by " + (document.documentElement.scrollWidth - innerWidth) + " px");
  return found;
}
