/** Light or dark: as the system says until the button is pressed, and as pressed on the next visit. */
const KEY = 'int8-gate-theme';

export function offerTheme(): void {
  const root = document.documentElement;
  const button = document.getElementById('theme');
  if (button === null) return;
  const before = remembered();
  if (before === 'light' || before === 'dark') root.dataset.theme = before;
  button.hidden = false;
  button.addEventListener('click', () => {
    const dark =
      root.dataset.theme === undefined
        ? matchMedia('(prefers-color-scheme: dark)').matches
        : root.dataset.theme === 'dark';
    root.dataset.theme = dark ? 'light' : 'dark';
    try {
      localStorage.setItem(KEY, root.dataset.theme);
    } catch {
      // A browser that keeps nothing for files shows the choice until the page is left.
    }
  });
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
