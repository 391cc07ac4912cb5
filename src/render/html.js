// SPDX-License-Identifier: MIT
// What a pointer and a click add to a report; the page is complete without.
'use strict';
(() => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  const size = bytes => {
    let unit = 0;
    for (; bytes >= 1024 && unit < 6; unit++) bytes /= 1024;
    return (bytes >= 100 || Number.isInteger(bytes) ? Math.round(bytes) : bytes.toPrecision(3)) + ' ' + units[unit];
  };
  const count = n => n.toLocaleString('en');

  // ---- tooltips ----

  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  tip.setAttribute('aria-hidden', 'true');
  document.body.append(tip);
  const hide = () => { tip.hidden = true; };
  const follow = (image, text) => {
    image.addEventListener('pointerleave', hide);
    image.addEventListener('pointermove', event => {
      const box = image.getBoundingClientRect();
      const words = text((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      tip.hidden = !words;
      if (!words) return;
      tip.textContent = words;
      tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)) + 'px';
      tip.style.top = (event.clientY + tip.offsetHeight + 24 > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 16) + 'px';
    });
  };
  addEventListener('scroll', hide, {passive: true});

  for (const plot of document.querySelectorAll('figure.of-plot')) {
    const [guest, guestEnd, host, hostEnd] = plot.dataset.axes.split(' ').map(Number);
    follow(plot.querySelector('.plot img'), (x, y) =>
      'guest disk: near ' + size(guest + x * (guestEnd - guest)) + '\n' + plot.dataset.host + ': near ' + size(host + (1 - y) * (hostEnd - host)));
  }
  const kinds = {e: 'nothing mapped', z: 'zeros, which take no reading', d: '', c: 'compressed'};
  const orders = ['in order', 'some breaks', 'many breaks', 'in pieces'];
  for (const map of document.querySelectorAll('figure.of-map')) {
    const cells = JSON.parse(map.querySelector('script').textContent);
    follow(map.querySelector('.map img'), (x, y) => {
      const i = Math.min(cells.columns - 1, Math.floor(x * cells.columns)) + cells.columns * Math.floor(y * cells.lines);
      if (i < 0 || i >= cells.kind.length) return '';
      const off = cells.begin + i * cells.unit, kind = cells.kind[i];
      let text = 'guest disk from ' + size(off) + ', ' + size(cells.unit);
      if (kinds[kind]) text += '\n' + kinds[kind];
      if (kind === 'd' || kind === 'c')
        text += '\n' + size(cells.mapped[i] * cells.cluster) + ' mapped, ' + orders[cells.order[i]] + ', ' + count(cells.seeks[i]) + (cells.seeks[i] === 1 ? ' seek' : ' seeks') +
          '\nmost of it near ' + size(cells.host + cells.row[i] * cells.rowBytes) + ' in the file';
      return text;
    });
  }

  // ---- sorting ----

  const scale = {KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40, PiB: 2 ** 50, EiB: 2 ** 60, ms: .001, min: 60, h: 3600};
  const number = text => {
    const found = /^([\d,.]+) ?(\S*)/.exec(text);
    return found ? parseFloat(found[1].replaceAll(',', '')) * (scale[found[2]] || 1) : -1;
  };
  for (const table of document.querySelectorAll('table.sortable')) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      if (head.tagName !== 'TH') return;
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const numeric = head.classList.contains('n');
        const down = head.getAttribute('aria-sort') ? head.getAttribute('aria-sort') === 'ascending' : numeric;
        const keyed = [...table.tBodies[0].rows].map(row => {
          const text = row.cells[column].textContent;
          return [numeric ? number(text) : text, row];
        });
        keyed.sort((a, b) => (numeric ? a[0] - b[0] : a[0].localeCompare(b[0])) * (down ? -1 : 1));
        table.tBodies[0].append(...keyed.map(pair => pair[1]));
        heads.forEach(other => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      });
    });
  }
})();
