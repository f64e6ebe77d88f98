/** The state of the board, or, from "connecting" on, of the connection to serial-ws. */
export type State =
  | "open" | "waiting" | "lost" | "denied" | "busy" | "released"
  | "connecting" | "closed" | "stopped" | "blocked" | "refused" | "mistake" | "disconnected";

export interface Status {
  /** A word for programs. Later versions may add more. */
  state: State | (string & {});
  /** What happened, for people. */
  detail?: string;
  /** What to do, for people. */
  hint?: string;
  /** The lines that the device drives, if it has them. */
  inputs?: { cts: boolean; dsr: boolean; dcd: boolean; ri: boolean };
  /** The setting that would help, where it is one. */
  advice?: Advice;
  /** Characters since the port was opened that arrived with a fault or were lost, if the driver counts them. */
  errors?: { framing: number; parity: number; overrun: number };
  /** The client that has the write lock. */
  writer?: { client: number; name?: string };
  /** How far a recording was played, where the port plays one. */
  playback?: Playback;
  /** The recording that runs. */
  recording?: Recording;
  /** What else gets what the device sends, if anything does. */
  outputs?: Output[];
  /** The settings in force, once they are known. */
  settings?: Settings;
}

/** The playing of a recording. */
export interface Playback {
  /** Seconds from the beginning that were reached. */
  position: number;
  /** Seconds that all of it takes, once that is known. */
  length?: number;
  /** How many times as fast as it was recorded it is played, or "max" for no pauses. */
  speed: number | "max";
  paused: boolean;
}

/** What clients can change of it. */
export interface PlaybackChange {
  pause?: boolean;
  /** Seconds from the beginning to go to. */
  seek?: number;
  /** From 0.01 to 1000, or "max". */
  speed?: number | "max";
}

/** A program, a file or another computer that gets what the device sends. Its numbers are those at the time of this status. */
export interface Output {
  /** The setting that makes it, such as "mqtt". Later versions may add more. */
  kind: "mqtt" | "osc" | "tcp" | "rfc2217" | "pty" | "record" | "save" | (string & {});
  /** The value of that setting. */
  at?: string;
  /** Whether it works. Later versions may add more. */
  state: "open" | "waiting" | "off" | (string & {});
  /** Why it does not work at the moment, for people. */
  problem?: string;
  /** Programs that are connected, where programs connect to it. */
  clients?: number;
  /** Bytes that it sent. */
  sent: number;
  /** Bytes that were to be sent and never will be. */
  missed: number;
  /** Times that it worked again after it did not. */
  reconnects: number;
}

/** A recording that runs. */
export interface Recording {
  /** The name of the file that is written; empty if there is none yet. */
  file: string;
  /** Bytes in all its files at the time of this status. */
  bytes: number;
  /** The time at which it begins, in seconds since 1970. */
  since: number;
  /** Why nothing is recorded at the moment, for people. */
  problem?: string;
}

/** A setting that would help, to offer by a button, for example. Later versions may have more. */
export interface Advice {
  baud?: number;
  dataBits?: number;
  parity?: string;
  /** What ends a line, as `--frame` takes it: "cr", "delim:3b". */
  frame?: string;
  view?: "lines" | "raw" | "text";
  maxLine?: number;
  [later: string]: unknown;
}

/** The numbers of a line: by name, or in order where they have none. A number that is missing is null. */
export type Values = Record<string, number | null> | (number | null)[];

export interface Line {
  seq: number;
  /** The time its last byte was read, in seconds since 1970. */
  t: number;
  /** True if this is only part of a line. */
  partial?: boolean;
  /** The bytes in base64, if they are not UTF-8. */
  bytes?: string;
  /** Its numbers, if it has any and they are asked for. */
  values?: Values;
}

export interface Chunk {
  /** The number of bytes before this chunk. */
  offset: number;
  t: number;
}

/** Bytes that the operating system took for the device. */
export interface Written {
  t: number;
  text?: string;
  /** In base64, if they are not UTF-8. */
  bytes?: string;
  /** The number of the client that wrote them, as in its `hello`. */
  client: number;
  /** The name that the client gave itself. Nobody has checked it: show it in quotes. */
  name?: string;
}

export interface Missed {
  lines?: number;
  bytes?: number;
}

/** The settings of a line. Later versions may have more. */
export interface LineSettings {
  baud: number;
  /** True while serial-ws finds the baud rate itself, and once it has. */
  baudAuto?: boolean;
  /** True if serial-ws found the baud rate itself. */
  baudDetected?: boolean;
  dataBits: number;
  parity: string;
  stopBits: number;
  flowControl: string;
  [later: string]: unknown;
}

/** The settings of a port. */
export interface Settings extends LineSettings {
  /** The view of clients that ask for none. */
  view: string;
  append: string;
  /** What ends a line: "lf", "crlf", "cr", or "delim:" and bytes in hex. */
  frame: string;
  /** Bytes beyond which a line is cut into pieces. */
  maxLine: number;
  /** What serial-ws asks the device by itself (`--poll`), with escapes such as "\\n". */
  poll?: string;
  /** The milliseconds from one such question to the next. */
  every?: number;
  /** True if this client may only read. */
  readOnly: boolean;
  /** True if it can be recorded: the operator has named a folder. */
  recordable?: boolean;
  /** The settings that clients cannot change without the write lock, each with the place that fixed it, such as "--baud". */
  fixed?: Partial<Record<keyof SettingsChange, string>>;
}

/** Settings that clients can change while the port is open. */
export interface SettingsChange {
  /** A rate, or "auto" to have serial-ws find it. */
  baud?: number | "auto";
  dataBits?: 5 | 6 | 7 | 8;
  parity?: "none" | "odd" | "even" | "mark" | "space";
  stopBits?: 1 | 2;
  flowControl?: "none" | "software" | "hardware";
  /** Data Terminal Ready, now and after each opening. */
  dtr?: boolean;
  /** Request To Send, likewise. */
  rts?: boolean;
}

export interface Hello {
  version: number;
  run: string;
  seq: number;
  offset: number;
  /** The number of this client, which no other one has in the same run. */
  client?: number;
  /** The bytes that one request may write. */
  maxMessage?: number;
  port: {
    name: string;
    /** The device that is or was last behind it, as the system calls it. */
    path?: string;
    board?: string;
    /** Its USB identity, such as "usb:2341:0043:A1". */
    usb?: string;
    /** True if its USB adapter passes on at once what it receives. */
    lowLatency?: boolean;
    settings: Settings;
  };
  /** The place that the stream has reached, with `data=all`. */
  newest?: { seq: number; offset: number };
  /** The names of all ports. */
  ports: string[];
  status: Omit<Status, "settings">;
}

export interface Options {
  /** The name of the port. Default: the first one. */
  port?: string;
  /** The ID of a device, instead of a port: it is opened if it is not open yet. See `SerialWs.devices`. */
  device?: string;
  /** The settings of the line with which the device is opened. If it is open with others, the state is "mistake". */
  baud?: number;
  dataBits?: number;
  parity?: "none" | "odd" | "even" | "mark" | "space";
  stopBits?: number;
  flowControl?: "none" | "software" | "hardware";
  dtr?: boolean;
  rts?: boolean;
  /** The number of earlier lines to receive on the first connection; with `data: "chunks"`, bytes. */
  history?: number;
  /** Receive only the newest line, at most this many times a second. */
  latest?: number;
  /** The line ending to add to text that lacks it. */
  append?: "none" | "lf" | "crlf" | "cr";
  /** Receive bytes as they arrive, through the event "data", instead of lines. */
  data?: "chunks";
  /** Receive what all clients write, if this one may write itself. A handler of "written" asks for it too. */
  writes?: boolean;
  /** Receive the values of lines. A handler of "values" that is there when connecting asks for them too. */
  values?: boolean;
  /** A name for this client, which others are shown: up to 40 letters, digits, blanks and -_.:/@+ */
  client?: string;
  token?: string;
  /** The WebSocket class to use where there is no global one. */
  WebSocket?: new (url: string) => unknown;
}

export interface WriteOptions {
  /** Before everything that waits, also within a long message of another client; text gets no ending. */
  urgent?: boolean;
}

/** Where the reply to a question ends. */
export interface AskOptions {
  /**
   * The next line (the default), so many bytes, the line in which the first of some texts stands, or a silence of so
   * many milliseconds.
   */
  until?: "line" | { bytes: number } | { text: string | string[] } | { gap: number };
  /** The number of lines, where lines end the reply. Empty lines do not count. Default: 1. */
  lines?: number;
  /** The longest time to wait for the reply, in milliseconds: at most 30000. Default: 2000. */
  timeout?: number;
}

export interface Events {
  line(text: string, line: Line): void;
  /** Called for each line that is valid JSON. */
  json(value: any, line: Line): void;
  /** Called for each line that has numbers. */
  values(values: any, line: Line): void;
  /** Called for each whole frame of the port's framing (`--frame`), decoded; for each line, if it has lines. */
  frame(bytes: Uint8Array, line: Line): void;
  data(bytes: Uint8Array, chunk: Chunk): void;
  /** Called for what clients write, this one among them. */
  written(bytes: Uint8Array, written: Written): void;
  open(hello: Hello): void;
  close(reason: { code: number; reason: string }): void;
  status(status: Status): void;
  missed(missed: Missed): void;
  /** Called for every call that fails, even if its promise is handled. */
  error(error: Error): void;
}

/** A device of the computer that serial-ws runs on. Later versions may have more. */
export interface Device {
  /** The ID by which it is opened: `new SerialWs({ device: id })`. */
  id: string;
  path: string;
  /** What USB tells of it; null for a port that is not USB. */
  usb: { vid: number; pid: number; serial?: string; maker?: string; product?: string; location?: string; interface?: number } | null;
  /** The name of the board, if it is known. */
  board: string | null;
  state: "free" | "open" | "busy" | "denied" | (string & {});
  /** True if this page may open it. */
  offered: boolean;
  /** True if the operator is asked in the terminal first. */
  asks?: boolean;
  /** The address of the port that has it; null if none has. */
  at: string | null;
  /** The name of that port. */
  port?: string;
  /** What is in the way, for people. */
  detail?: string;
  /** What to do, for people. */
  hint?: string;
  [later: string]: unknown;
}

/** The list of devices, kept up to date. */
export interface DeviceWatcher {
  /** The newest list. */
  readonly devices: Device[];
  /** Calls the handler with the list, at once and after each change. */
  on(event: "devices", handler: (devices: Device[]) => void): this;
  off(event: "devices", handler: (devices: Device[]) => void): this;
  /** Calls the handler when the browser does not allow the connection. It is tried again. */
  on(event: "error", handler: (error: Error) => void): this;
  off(event: "error", handler: (error: Error) => void): this;
  /** Ends watching. */
  close(): void;
}

export class SerialWs {
  /** Returns the devices of the computer that serial-ws runs on. */
  static devices(url?: string, options?: { token?: string }): Promise<Device[]>;
  /** Watches the devices, reconnecting by itself. */
  static watchDevices(url?: string, options?: Pick<Options, "token" | "WebSocket">): DeviceWatcher;
  constructor(url?: string, options?: Options);
  constructor(options?: Options);
  /** The address of the serial-ws that the library came from, to which `ports/NAME` or a query can be added. */
  static readonly address: string;
  /** The address of the port. */
  readonly url: string;
  readonly status: Status;
  /** True while data can arrive: connected, and the port is open. */
  readonly opened: boolean;
  /** The latest `hello` of serial-ws. */
  readonly hello?: Hello;
  /** The last complete line. */
  readonly last?: string;
  /** The values of the last line that had any; at first none. */
  readonly values: any;
  on<E extends keyof Events>(event: E, handler: Events[E]): this;
  off<E extends keyof Events>(event: E, handler: Events[E]): this;
  /** Sends text. Resolves once the operating system has taken the last byte. */
  send(text: string | number, options?: WriteOptions): Promise<Ack>;
  /** Sends a number as one byte, and a view as its bytes. */
  write(
    bytes: number | ArrayLike<number> | ArrayBuffer | ArrayBufferView | string,
    options?: WriteOptions,
  ): Promise<Ack>;
  /** Sends bytes or text as a frame, with what the port's framing adds: SLIP, COBS, a line end, marks. */
  writeFrame(
    bytes: number | ArrayLike<number> | ArrayBuffer | ArrayBufferView | string,
    options?: WriteOptions,
  ): Promise<Ack>;
  /** Resets the board with its modem lines. */
  reset(): Promise<Ack>;
  /** Closes the port so that another program can use it, for 60 s by default. */
  release(seconds?: number): Promise<Ack>;
  /** Takes a released port back. */
  resume(): Promise<Ack>;
  /** Sets the modem lines, one or both. */
  signals(lines: { dtr?: boolean; rts?: boolean }): Promise<Ack>;
  /**
   * Takes the write lock: nobody else changes the board until it ends. Others are told the name. With `restore`, all
   * settings and lines return then.
   */
  lock(name?: string, options?: { restore?: boolean }): Promise<Ack>;
  /** Ends the write lock. */
  unlock(): Promise<Ack>;
  /** Starts recording the port, or stops it. */
  record(on?: boolean): Promise<Ack>;
  /** Adds a remark to what is being recorded. */
  note(text: string): Promise<Ack>;
  /** Changes settings of the port for everybody; those that are left out stay as they are. */
  settings(changes: SettingsChange): Promise<Ack>;
  /** Changes how a recording is played, for everybody. */
  playback(changes: PlaybackChange): Promise<Ack>;
  /**
   * Asks the device. Resolves with its reply: the next line, or what `until` says. Meanwhile writes of others wait.
   * Rejected with `code` "timeout" if the device does not reply in time.
   */
  ask(question: string, options?: AskOptions): Promise<string>;
  /** The same in bytes. */
  ask(question: number | ArrayLike<number> | ArrayBuffer | ArrayBufferView, options?: AskOptions): Promise<Uint8Array>;
  /** The same as request(). */
  ask(object: AskMessage): Promise<Reply>;
  ask(object: ClientMessage): Promise<Ack>;
  /**
   * Sends any request of the json protocol. Resolves with its reply. It is rejected if it is too
   * long for a message, and if the connection closes or falls silent for a minute before the reply.
   */
  request(object: AskMessage): Promise<Reply>;
  request(object: ClientMessage): Promise<Ack>;
  /** Reconnects after close(). */
  open(): void;
  /** Closes the connection, without reconnecting. */
  close(): void;
}

export default SerialWs;

/*
 * The json protocol and HTTP, for those who use them without the class: PROTOCOL.md. Later versions may
 * have more members and more types of messages, which are to be ignored.
 */

/** A message from serial-ws with `view=json`. */
export type ServerMessage =
  | HelloMessage | StatusMessage | LineMessage | DataMessage | ChunkMessage | MissedMessage | WrittenMessage
  | Ack | Reply | ErrorReply | DevicesMessage;

/** The first message. */
export interface HelloMessage extends Hello {
  type: "hello";
}

export interface StatusMessage extends Omit<Status, "settings"> {
  type: "status";
  detail: string;
  settings?: LineSettings;
}

/** A line: its text, or its bytes if they are not UTF-8. */
export interface LineMessage extends Line {
  type: "line";
  text?: string;
}

/** A chunk of bytes, with `data=chunks`. */
export interface DataMessage extends Chunk {
  type: "data";
  /** In base64. */
  bytes: string;
}

/** Everything that came with one read, with `data=all`. */
export interface ChunkMessage extends Chunk {
  type: "chunk";
  /** The number of the last line before it. */
  seq: number;
  /** In base64; empty where a line was cut off. */
  bytes: string;
  /** The lines that end in it, in order. */
  lines: ChunkLine[];
  /** True if a character that has begun ends here without its last bytes. */
  cut?: true;
}

/** A line of a `ChunkMessage`: its text, or its bytes in base64 if they are not UTF-8. */
export interface ChunkLine {
  text?: string;
  bytes?: string;
  /** True if it is only a part of a line. */
  partial?: true;
  /** True if that part is a piece of an overlong line. */
  piece?: true;
  /** The header that names its values. */
  header?: { separator: string; names: string[] };
}

export interface MissedMessage extends Missed {
  type: "missed";
}

export interface WrittenMessage extends Written {
  type: "written";
}

/** A request was carried out. */
export interface Ack {
  type: "ack";
  id: unknown;
  /** The bytes that were written. */
  bytes: number;
}

/** The reply of the device to a question: text, or bytes if the question was in bytes or the reply is not UTF-8. */
export interface Reply {
  type: "reply";
  id: unknown;
  text?: string;
  /** In base64. */
  bytes?: string;
}

/** A request failed. */
export interface ErrorReply {
  type: "error";
  /** The reason, for people. */
  error: string;
  /** The `id` of the request, if it had one. */
  id?: unknown;
  /** The bytes that were written before it failed. */
  bytes?: number;
  /**
   * "timeout": no reply came in time. "gone": the device was lost, or the port released. "locked": another client has
   * the write lock. "released": another client has released the port. "fixed": only the holder of the write lock can
   * change this setting. Later versions may have more.
   */
  code?: "timeout" | "gone" | "locked" | "released" | "fixed" | (string & {});
}

/** The list of devices, on a WebSocket to `/devices`. */
export interface DevicesMessage {
  type: "devices";
  devices: Device[];
}

/** A question to the device. */
export type AskMessage = { type: "ask"; id?: unknown } & AskOptions & (
  | { text: string; bytes?: undefined }
  | { bytes: string; text?: undefined }
);

/** A message to serial-ws with `view=json`. One with an `id`, any JSON value, gets a reply that repeats it. */
export type ClientMessage = (
  | { type: "write"; text: string; bytes?: undefined; frame?: undefined; urgent?: boolean }
  | { type: "write"; bytes: string; text?: undefined; frame?: undefined; urgent?: boolean }
  | { type: "write"; frame: string; text?: undefined; bytes?: undefined; urgent?: boolean }
  | AskMessage
  | { type: "signals"; dtr?: boolean; rts?: boolean }
  | { type: "break"; ms: number; on?: undefined }
  | { type: "break"; on: boolean; ms?: undefined }
  | ({ type: "settings" } & SettingsChange)
  | ({ type: "playback" } & PlaybackChange)
  | { type: "lock"; name?: string; restore?: boolean }
  | { type: "release"; seconds?: number; while?: undefined }
  | { type: "release"; while: "connected"; seconds?: undefined }
  | { type: "unlock" }
  | { type: "record"; on: boolean }
  | { type: "note"; text: string }
  | { type: "reset" }
  | { type: "resume"; releasedBy?: number }
) & { id?: unknown };

/** The answer to `GET /hello`. */
export interface HelloAnswer {
  name: "serial-ws";
  version: string;
  /** The origin of the page that asks; null for a program. */
  origin: string | null;
  /** True if it may connect. */
  allowed: boolean;
  /** True if it may only read. */
  readOnly: boolean;
  /** The way to allow it. */
  remedy: string | null;
}

/** A port in the answer to `GET /api/ports`. */
export interface Port {
  name: string;
  /** The path of its address, such as "/ports/uno". */
  at: string;
  path?: string;
  board?: string;
  usb?: string;
  lowLatency?: boolean;
  settings: Settings;
  status: Omit<StatusMessage, "type">;
}

/** The answer to `GET /api/status`. */
export interface ProgramStatus {
  name: "serial-ws";
  version: string;
  run: string;
  /** Seconds since it began. */
  uptime: number;
  /** The number of connected clients. */
  clients: number;
  ports: (Port & {
    clients: number;
    lines: number;
    bytes: number;
    /** What they count is in docs/metrics.md. */
    counters: Record<string, number>;
  })[];
}

/** A client in the answer to `GET /api/clients`, which the operator gets. */
export interface ConnectedClient {
  id: number;
  /** The name that it gives itself by `?client=`, which nobody checks. */
  name: string | null;
  address: string;
  /** The origin of its page; null for a program. */
  origin: string | null;
  /** The program that connected, as it calls itself (`User-Agent`). */
  agent: string | null;
  /** The name of its port; null for a client of `/devices` or `/echo`. */
  port: string | null;
  view: string;
  readOnly: boolean;
  /** When it connected, in seconds of Unix time. */
  since: number;
}

/** A filter for USB devices, as in Web Serial. */
export interface PortFilter {
  usbVendorId?: number;
  usbProductId?: number;
}

/** The board of serial-ws. */
export interface UsedPort {
  getInfo(): PortFilter;
}

/** Text, one byte, or several bytes. */
export type Needle = string | number | number[] | Uint8Array;

declare global {
  /** Defined by serial-ws.js in a script tag. */
  const SerialWs: typeof import("./serial-ws.js").SerialWs;
  type SerialWs = import("./serial-ws.js").SerialWs;
  /** Defined by serial-ws-p5.js: returns a port with the calls of p5.webserial. */
  function createSerial(): WebSerial;
  /** Returns the board of serial-ws as the only entry, for open(). */
  function usedSerialPorts(): UsedPort[];
  const WebSerial: new () => WebSerial;

  /** A port as in p5.webserial. */
  interface WebSerial {
    readonly presets: Record<string, PortFilter[]>;
    /** Connects to the board of serial-ws, whatever is chosen here; or to the address of another port. */
    open(port?: string | number | PortFilter | PortFilter[] | UsedPort, options?: number | { baudRate?: number }): void;
    /** True while data can arrive. */
    opened(): boolean;
    close(): void;
    stop(): void;
    /** The number of unread characters. */
    available(): number;
    /** The number of unread bytes. */
    availableBytes(): number;
    /** Sets how many unread bytes are kept. */
    bufferSize(size: number): void;
    clear(): void;
    /** Returns at most `length` characters, or all of them. */
    read(length?: number): string;
    /** Returns the text up to and including `needle`, or "". */
    readUntil(needle: Needle): string;
    readStringUntil(needle: Needle): string;
    readArrayBuffer(length?: number): Uint8Array;
    readArrayBufferUntil(needle: Needle): Uint8Array;
    readByte(): number | null;
    readBytes(length?: number): number[];
    readBytesUntil(needle: Needle): number[];
    /** Returns the newest character, and discards what came before it. */
    last(): string;
    lastChar(): string;
    lastByte(): number | null;
    /** Resolves with true once it is written, and with false if it could not be. */
    write(out: string | number | number[] | ArrayBuffer | ArrayBufferView): Promise<boolean>;
    print(out: unknown): Promise<boolean>;
    println(out?: unknown): Promise<boolean>;
    dtr(on: boolean): Promise<void>;
    rts(on: boolean): Promise<void>;
  }
}
