// SPDX-License-Identifier: Apache-2.0
// Times, durations and numbers as people read them.

const signs = {critical: "✖", warning: "▲", info: "·", ok: "✔", degraded: "▲", failing: "✖", unknown: "·"};
const tones = {ok: "ok", degraded: "warning", failing: "critical", unknown: ""};

const timeOfDay = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const timeInUtc = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
});
const dayHere = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", year: "numeric"});
const dayInUtc = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", timeZone: "UTC",
});

// "CET", "GMT+9": of that instant, for summer time comes and goes.
function zoneAt(ms) {
  const parts = new Intl.DateTimeFormat("en-GB", {timeZoneName: "short"}).formatToParts(ms);
  return parts.find((part) => part.type === "timeZoneName").value;
}

function isUtcHere(ms) {
  return new Date(ms).getTimezoneOffset() === 0;
}

// "26 Nov 2026, 03:12:04 – 03:13:41 CET"; without an end "since 26 Nov 2026, 03:12:04 CET".
function spanHere(from, to) {
  const begins = `${dayHere.format(from)}, ${timeOfDay.format(from)}`;
  if (to === null) return `since ${begins} ${zoneAt(from)}`;
  const sameDay = dayHere.format(from) === dayHere.format(to);
  return `${begins} – ${sameDay ? "" : `${dayHere.format(to)}, `}${timeOfDay.format(to)} ${zoneAt(to)}`;
}

function spanInUtc(from, to) {
  const begins = `${dayInUtc.format(from)}, ${timeInUtc.format(from)}`;
  if (to === null) return `since ${begins} UTC`;
  const sameDay = dayInUtc.format(from) === dayInUtc.format(to);
  return `${begins} – ${sameDay ? "" : `${dayInUtc.format(to)}, `}${timeInUtc.format(to)} UTC`;
}

// "0.3 s", "42 s", "3 min 10 s", "2 h 5 min".
function duration(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${Math.floor(minutes / 60)} h`;
}

function significant(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function microseconds(us) {
  if (us === null || us === undefined) return "–";
  if (us < 1000) return `${Math.round(us)} µs`;
  return us < 1e6 ? `${significant(us / 1000)} ms` : `${significant(us / 1e6)} s`;
}

function bytes(count) {
  if (count === null || count === undefined) return "–";
  if (count < 1000) return `${Math.round(count)} B`;
  const unit = Math.min(4, Math.floor(Math.log10(count) / 3));
  return `${significant(count / 1000 ** unit)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

function percent(share) {
  if (share === null || share === undefined) return "–";
  const value = share * 100;
  return `${value === 0 || value >= 10 ? value.toFixed(0) : value >= 0.1 ? value.toFixed(1) : value.toFixed(2)} %`;
}

function count(number, one, many) {
  return `${number.toLocaleString("en-GB")} ${number === 1 ? one : many || `${one}s`}`;
}

function perSecond(value) {
  if (value === null || value === undefined) return "–";
  return value === 0 || value >= 10 ? value.toFixed(0) : value.toFixed(1);
}

// "forward_loss" as words.
function spaced(identifier) {
  return identifier.replaceAll("_", " ");
}
