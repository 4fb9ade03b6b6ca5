// The words of the page's language, as the server put them into it.
export const words = JSON.parse(document.body.dataset.words);

const clock = new Intl.DateTimeFormat(document.documentElement.lang, {
  timeStyle: "medium",
  timeZone: document.body.dataset.zone,
});

export const time = (at) => clock.format(new Date(at));

// "Case {number}" with its names filled in.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// A tracking number as it is read aloud.
export const grouped = (number) => `${number.slice(0, 3)} ${number.slice(3, 6)} ${number.slice(6)}`;
