// What page_audit.py asks a page: each answers with sentences about what is wrong.
({
  // Text in SVG has its colour in `fill`. What is behind is every background of an ancestor, laid over those behind it.
  contrast: least => {
    const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const rgba = text => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => i < 3 ? v : v / 255); };
    const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
    const light = colour => { const [r, g, b] = colour.map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
      return .2126 * r + .7152 * g + .0722 * b; };
    const behind = element => { const layers = [];
      for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
      return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]); };
    const seen = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (seen.nextNode()) {
      const text = seen.currentNode, element = text.parentElement;
      if (!text.data.trim() || !element.getClientRects().length || element.closest('style, title, desc')) continue;
      const style = getComputedStyle(element), ground = behind(element);
      const ink = over(rgba(element instanceof SVGElement ? style.fill : style.color), ground);
      const [a, b] = [light(ink), light(ground)].sort((x, y) => y - x), ratio = (a + .05) / (b + .05);
      if (ratio < least) found.push(`contrast ${ratio.toFixed(2)} of "${text.data.trim().slice(0, 40)}"`);
    }
    return [...new Set(found)];
  },

  // What a screen reader goes by.
  structure: () => {
    const found = [], say = sentence => found.push(sentence);
    if (!document.documentElement.lang) say('no language');
    for (const name of ['header', 'main', 'h1', 'title'])
      if (document.querySelectorAll(`body > ${name}, header > ${name}, head > ${name}`).length !== 1) say(`not one ${name}`);
    let level = 0;
    for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
      const next = Number(heading.tagName[1]);
      if (next > level + 1) say(`"${heading.textContent}" is h${next} after h${level}`);
      level = next;
    }
    for (const table of document.querySelectorAll('table')) {
      if (!table.caption || !table.caption.textContent.trim()) say(`a table without a caption: ${table.textContent.slice(0, 40)}`);
      for (const cell of table.querySelectorAll('th')) {
        if (!cell.scope) say(`a heading without a scope: ${cell.textContent}`);
        if (!cell.textContent.trim()) say('an empty heading of a table');
      }
      if (new Set([...table.rows].map(row => [...row.cells].reduce((sum, cell) => sum + cell.colSpan, 0))).size > 1)
        say(`rows of unequal length: ${table.caption && table.caption.textContent}`);
    }
    for (const figure of document.querySelectorAll('figure')) {
      const image = figure.querySelector('[role=img]');
      const named = image && (image.getAttribute('aria-label') || (image.querySelector(':scope > title') || {}).textContent);
      const told = image && (image.getAttribute('aria-label') || (image.querySelector(':scope > desc') || {}).textContent);
      if (!named || !told || told.length < 20) say(`a figure without a text alternative: ${figure.textContent.slice(0, 40)}`);
    }
    for (const image of document.querySelectorAll('img')) if (!image.alt) say('an image without alt');
    for (const svg of document.querySelectorAll('svg'))
      if (!svg.closest('[role=img], [aria-hidden=true]')) say('a drawing that is neither an image nor hidden');
    const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) say(`two elements #${id}`);
    for (const link of document.querySelectorAll('a[href^="#"]'))
      if (!ids.includes(decodeURIComponent(link.hash.slice(1)))) say(`a link to ${link.hash}, which is not there`);
    if (document.scripts.length) say('a script');
    return found;
  },

  // Only what is inside a box that scrolls by itself may be wider than the window.
  overflow: () => {
    const room = document.documentElement.clientWidth, found = [];
    if (document.documentElement.scrollWidth > room) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
    for (const element of document.querySelectorAll('body *')) {
      if (element.closest('.scroll > *, .skip, title, desc, br')) continue;
      const box = element.getBoundingClientRect();
      if (box.width && (box.right > room + 1 || box.left < -1)) found.push(`<${element.tagName}> "${element.textContent.trim().slice(0, 40)}" reaches beyond the window`);
    }
    return found.slice(0, 5);
  },

  // Asked after the Tab key went to an element; a skip link must come into the window.
  focus: () => {
    const element = document.activeElement, style = getComputedStyle(element), box = element.getBoundingClientRect();
    const name = `<${element.tagName}> "${element.textContent.trim().slice(0, 30)}"`;
    if (element === document.body) return null;
    if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) return `${name} has the focus, and nobody sees it`;
    if (box.bottom <= 0 || box.right <= 0 || !box.width) return `${name} has the focus outside the window`;
    return '';
  },
})
