/** Formats times. Moments are Unix seconds. */

export const now = () => Date.now() / 1000;

/** 7384 -> "2:03:04"; negative -> "0:00" */
export function clock(seconds) {
  const left = Math.max(0, Math.ceil(seconds));
  const [hours, minutes] = [Math.floor(left / 3600), Math.floor(left / 60) % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

/** 125 -> "2 min" */
export function age(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86400)} d`;
}

/** 300 -> "5 min", 90 -> "90 s": exact, never rounded. */
export function interval(seconds) {
  if (seconds % 60) return `${seconds} s`;
  return seconds % 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}

/** In local time: "17:03:04" */
export const timeOfDay = (moment) => new Date(moment * 1000).toLocaleTimeString("en-GB");

/** In local time: "17:03:04" if today, else "2026-11-22 17:03:04" */
export function dateAndTime(moment) {
  const [date, time] = local(moment).split(" ");
  return date === local(now()).split(" ")[0] ? time : `${date} ${time}`;
}

const local = (moment) => new Date(moment * 1000).toLocaleString("sv-SE");
