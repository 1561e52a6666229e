// One picture's boxes as a person changes them: what can be undone, and what is saved.

import { request } from "./api.js";
import { notice, saveMark } from "./notice.js";

const RETRY = 3000; // ms
const PAUSE = 350; // ms in which steps of one move become one version
const histories = new Map();

export class Model extends EventTarget {
  constructor() {
    super();
    this.picture = null;
    this.waiting = null; // the action that is to be saved
    this.running = null;
    this.timer = 0;
  }

  /** Begins with a picture as the server tells it. */
  adopt(picture) {
    const other = this.picture?.id !== picture.id;
    // Its neighbours are told with the picture alone, and not with each change.
    this.picture = other ? picture : { ...this.picture, ...picture };
    this.version = picture.version;
    this.boxes = picture.boxes;
    this.dismissed = picture.dismissed;
    this.accepted = picture.accepted;
    if (!histories.has(picture.id)) histories.set(picture.id, { past: [], future: [] });
    this.history = histories.get(picture.id);
    if (other) this.chosen = null;
    else if (this.chosen && !this.exists(this.chosen)) this.chosen = null;
    this.tell("change");
  }

  get url() { return `/api/pictures/${this.picture.id}`; }

  /** Numbers of the candidates that nobody has judged, in the order of the picture. */
  get open() {
    const judged = new Set([...this.dismissed, ...this.boxes.map((box) => box.candidate)]);
    return this.picture.candidates.map((_, number) => number).filter((number) => !judged.has(number));
  }

  /** Numbers of the boxes, the doubtful first: those of people, then by score. */
  get order() {
    const rank = (box) => (box.origin === "detected" && !box.edited ? 1 + box.score : 0);
    return this.boxes.map((_, at) => at).sort((a, b) => rank(this.boxes[a]) - rank(this.boxes[b]));
  }

  /** chosen: { kind: "box" or "faint", at: its number } or null. */
  choose(chosen) {
    this.chosen = chosen;
    this.tell("choose");
  }

  exists({ kind, at }) {
    return kind === "box" ? at < this.boxes.length : this.open.includes(at);
  }

  boxOf({ kind, at }) {
    return kind === "box" ? this.boxes[at].box : this.picture.candidates[at].box;
  }

  /** A change that can be undone. same: a further step of the one before, which it continues. */
  change(action, { boxes = this.boxes, dismissed = this.dismissed, same = false }) {
    if (!same) {
      this.history.past.push(this.snapshot());
      this.history.future = [];
    }
    this.boxes = boxes;
    this.dismissed = dismissed;
    this.accepted = false;
    this.save(action, same ? PAUSE : 0);
    this.tell("change");
  }

  draw(box) {
    const at = this.boxes.length;
    this.change("draw", { boxes: [...this.boxes, madeByHand(this.within(box))] });
    this.choose({ kind: "box", at });
  }

  /** Puts a chosen box elsewhere. */
  place(action, box, same = false) {
    if (this.chosen?.kind !== "box") return;
    const { at } = this.chosen;
    const boxes = this.boxes.map((each, number) => (number === at ? { ...each, box: this.within(box), edited: true } : each));
    this.change(action, { boxes, same });
  }

  remove() {
    if (this.chosen?.kind !== "box") return;
    const { at } = this.chosen;
    const { candidate } = this.boxes[at];
    const dismissed = candidate === null ? this.dismissed : [...this.dismissed, candidate];
    this.chosen = null;
    this.change("delete", { boxes: this.boxes.filter((_, number) => number !== at), dismissed });
    this.tell("choose");
  }

  take(numbers) {
    const taken = numbers.map((number) => {
      const { box, score } = this.picture.candidates[number];
      return { box, score, origin: "taken", edited: false, candidate: number, seen: 0 };
    });
    this.change("take", { boxes: [...this.boxes, ...taken] });
  }

  dismiss(numbers) {
    this.change("dismiss", { dismissed: [...this.dismissed, ...numbers] });
  }

  undo() { return this.swap("undo", this.history.past, this.history.future); }
  redo() { return this.swap("redo", this.history.future, this.history.past); }

  swap(action, from, to) {
    if (!from.length) return false;
    to.push(this.snapshot());
    Object.assign(this, from.pop());
    if (this.chosen && !this.exists(this.chosen)) this.chosen = null;
    this.save(action);
    this.tell("change");
    return true;
  }

  accept() {
    this.accepted = true;
    this.save("accept");
    this.tell("change");
  }

  snapshot() {
    return { boxes: this.boxes, dismissed: this.dismissed, accepted: this.accepted };
  }

  save(action, pause = 0) {
    this.waiting = action;
    saveMark("saving");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.pump(), pause);
  }

  get saved() { return !this.waiting && !this.running; }

  /** Resolves to whether all is saved. */
  async settle() {
    clearTimeout(this.timer);
    await this.pump();
    return this.saved;
  }

  pump() {
    this.running ??= this.send().finally(() => { this.running = null; });
    return this.running;
  }

  async send() {
    while (this.waiting) {
      const action = this.waiting;
      this.waiting = null;
      const mine = this.snapshot();
      try {
        const answer = await request("PUT", this.url, { version: this.version, body: { action, ...mine } });
        this.version = answer.version;
        this.picture = { ...this.picture, ...answer };
        if (!this.waiting) {
          this.boxes = answer.boxes;
          saveMark("saved");
          this.tell("saved");
        }
      } catch (error) {
        if (error.status === 409 && error.current) {
          // Theirs is shown, and an undo away lies ours: neither is lost.
          this.waiting = null;
          this.history.past.push(mine);
          this.adopt(error.current);
          saveMark("conflict");
          notice(`${error.message}. Ctrl+Z brings yours back.`, 12);
          this.tell("saved");
          return;
        }
        saveMark("failed");
        notice(`Not saved: ${error.message}`);
        // What the server will not take is not sent again.
        if (error.status >= 400 && error.status < 500) {
          this.adopt(await request("GET", this.url));
          return;
        }
        this.waiting ??= action;
        this.timer = setTimeout(() => this.pump(), RETRY);
        return;
      }
    }
  }

  /** A box of whole hundredths of pixels inside the picture. */
  within([x1, y1, x2, y2]) {
    const { width, height } = this.picture;
    const round = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 100) / 100;
    return [
      round(Math.min(x1, x2), width), round(Math.min(y1, y2), height),
      round(Math.max(x1, x2), width), round(Math.max(y1, y2), height),
    ];
  }

  tell(what) { this.dispatchEvent(new Event(what)); }
}

function madeByHand(box) {
  return { box, score: 1, origin: "drawn", edited: false, candidate: null, seen: 0 };
}
