// One film's tracks as a person judges and draws them: what can be undone, and what is saved.

import { request } from "./api.js";
import { notice, saveMark } from "./notice.js";

/**
 * A change names what it is made to: { tracks: [number, before, after] of verdicts,
 * drawn: [name, before, after] of boxes, accepted?: [before, after] }. So what others
 * decide on other tracks meanwhile stays, here and in an undo.
 */
export class FilmModel extends EventTarget {
  constructor(url) {
    super();
    this.url = url;
    this.verdicts = new Map(); // "kept" or "dismissed" by track; of faint candidates "kept" is taken
    this.drawn = new Map(); // boxes by name
    this.accepted = false;
    this.chosen = null; // { track } or { drawn: name }
    this.past = [];
    this.future = [];
    this.waiting = 0; // changes that are not saved yet
    this.saving = Promise.resolve();
  }

  /** Takes over what the server tells. */
  adopt({ kept, dismissed, drawn, accepted, version }) {
    this.verdicts = new Map([...kept.map((track) => [track, "kept"]), ...dismissed.map((track) => [track, "dismissed"])]);
    this.drawn = new Map(Object.entries(drawn));
    this.accepted = accepted;
    this.version = version;
    this.tell("change");
  }

  verdict(track) { return this.verdicts.get(track) ?? null; }

  /** True for what is hidden: found and not dismissed, or faint and taken. */
  hides(track) { return track < 0 ? this.verdict(track) === "kept" : this.verdict(track) !== "dismissed"; }

  /** The boxes of the chosen drawn track; undefined where none is chosen. */
  get chosenDrawn() { return this.drawn.get(this.chosen?.drawn); }

  choose(what) {
    this.chosen = what;
    this.tell("choose");
  }

  judge(tracks, verdict, action) {
    const changed = tracks.filter((track) => this.verdict(track) !== verdict);
    if (changed.length) this.change(action, { tracks: changed.map((track) => [track, this.verdict(track), verdict]) });
  }

  /** boxes: rows of frame, x1, y1, x2, y2; none takes the track away. */
  draw(name, boxes, action) {
    this.change(action, { drawn: [[name, this.drawn.get(name) ?? null, boxes.length ? boxes : null]] });
  }

  accept() { this.change(this.accepted ? "reopen" : "accept", { accepted: [this.accepted, !this.accepted] }); }

  change(action, some) {
    const change = { tracks: [], drawn: [], ...some };
    this.past.push(change);
    this.future = [];
    this.put(action, change);
  }

  undo() {
    if (!this.past.length) return false;
    const change = this.past.pop();
    this.future.push(change);
    this.put("undo", inverse(change));
    return true;
  }

  redo() {
    if (!this.future.length) return false;
    const change = this.future.pop();
    this.past.push(change);
    this.put("redo", change);
    return true;
  }

  put(action, change) {
    for (const [track, , verdict] of change.tracks) verdict ? this.verdicts.set(track, verdict) : this.verdicts.delete(track);
    for (const [name, , boxes] of change.drawn) boxes ? this.drawn.set(name, boxes) : this.drawn.delete(name);
    this.accepted = change.accepted?.[1] ?? false;
    if (this.chosen?.drawn && !this.chosenDrawn) this.chosen = null;
    this.tell("change");
    saveMark("saving");
    this.waiting += 1;
    // One after the other, in the order in which they were made.
    this.saving = this.saving.then(() => this.save(action, change)).finally(() => { this.waiting -= 1; });
  }

  async save(action, { tracks, drawn, accepted }) {
    try {
      const body = { action, tracks, drawn, accepted: accepted?.[1] ?? false };
      const told = await request("PUT", this.url, { version: this.version, body });
      this.version = told.version;
      if (this.waiting > 1) return;
      this.adopt(told);
      saveMark("saved");
      this.tell("saved");
    } catch (error) {
      await this.refused(error, { tracks, drawn, accepted });
    }
  }

  async refused(error, { tracks, drawn, accepted }) {
    if (error.status === 409 && error.current) {
      const items = new Set([...tracks, ...drawn].map(([item]) => item));
      // What was refused was never done: it cannot be undone, but done again.
      const other = (change) => !(accepted && change.accepted) && ![...change.tracks, ...change.drawn].some(([item]) => items.has(item));
      this.past = this.past.filter(other);
      this.future = this.future.filter(other);
      this.adopt(error.current);
      const again = {
        tracks: tracks.map(([track, , mine]) => [track, mine, this.verdict(track)]),
        drawn: drawn.map(([name, , mine]) => [name, mine, this.drawn.get(name) ?? null]),
      };
      if (items.size) this.past.push(again);
      saveMark("conflict");
      notice(`${error.message}${items.size ? ". Ctrl+Z brings yours back." : ""}`, 12);
    } else {
      saveMark("failed");
      notice(`Not saved: ${error.message}`);
      const told = await request("GET", this.url).catch(() => null);
      if (told) this.adopt(told);
    }
    this.tell("change");
  }

  tell(what) { this.dispatchEvent(new Event(what)); }
}

function inverse({ tracks, drawn, accepted }) {
  const back = ([item, before, after]) => [item, after, before];
  return { tracks: tracks.map(back), drawn: drawn.map(back), ...(accepted && { accepted: [accepted[1], accepted[0]] }) };
}

/** A name for a drawn track that no other has. */
export function newName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
