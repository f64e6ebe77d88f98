/** How things stand: of the board, or, from "connecting" on, of the connection to serial-ws. */
export type State =
  | "open" | "waiting" | "lost" | "denied" | "busy" | "released"
  | "connecting" | "closed" | "stopped" | "blocked" | "refused" | "mistake";

export interface Status {
  /** A word for programs. There may be new ones. */
  state: State | (string & {});
  /** What happened, for people. */
  detail?: string;
  /** What to do, for people. */
  hint?: string;
}

export interface Line {
  seq: number;
  /** When its last byte was read, in seconds since 1970. */
  t: number;
  /** Whether this is only a piece of a line. */
  partial?: boolean;
  /** The bytes in base64, if they were not UTF-8. */
  bytes?: string;
}

export interface Chunk {
  /** The number of bytes before this one. */
  offset: number;
  t: number;
}

export interface Missed {
  lines?: number;
  bytes?: number;
}

export interface Hello {
  version: number;
  run: string;
  seq: number;
  offset: number;
  port: { name: string; path?: string; board?: string; settings: Record<string, unknown> };
  ports: string[];
  status: Status;
}

export interface Options {
  /** The name of a port; otherwise the first one. */
  port?: string;
  /** So many lines (with data: "chunks", bytes) from before, on the first connection. */
  history?: number;
  /** Only the newest line, at most so many times a second. */
  latest?: number;
  /** The ending that is added to text which lacks it. */
  append?: "none" | "lf" | "crlf" | "cr";
  /** Bytes as they come, by the event "data", instead of lines. */
  data?: "chunks";
  token?: string;
  /** For programs where there is no global WebSocket. */
  WebSocket?: new (url: string) => unknown;
}

export interface Events {
  line(text: string, line: Line): void;
  /** A line that is JSON. */
  json(value: any, line: Line): void;
  data(bytes: Uint8Array, chunk: Chunk): void;
  open(hello: Hello): void;
  close(reason: { code: number; reason: string }): void;
  status(status: Status): void;
  missed(missed: Missed): void;
  /** For every call that fails, also if its promise is looked at. */
  error(error: Error): void;
}

export class SerialWs {
  constructor(url?: string, options?: Options);
  constructor(options?: Options);
  readonly url: string;
  readonly status: Status;
  /** Whether the board can be heard now. */
  readonly opened: boolean;
  readonly hello?: Hello;
  /** The last whole line. */
  readonly last?: string;
  on<E extends keyof Events>(event: E, handler: Events[E]): this;
  off<E extends keyof Events>(event: E, handler: Events[E]): this;
  /** Kept when the system has taken the last byte. */
  send(text: string | number): Promise<{ bytes: number }>;
  /** A number is one byte; a view is its bytes. */
  write(bytes: number | ArrayLike<number> | ArrayBuffer | ArrayBufferView | string): Promise<{ bytes: number }>;
  reset(): Promise<object>;
  release(seconds?: number): Promise<object>;
  resume(): Promise<object>;
  signals(lines: { dtr?: boolean; rts?: boolean }): Promise<object>;
  /** Sends any object of the protocol, and promises its answer. */
  ask(object: object): Promise<object>;
  open(): void;
  close(): void;
}

export default SerialWs;

declare global {
  /** With serial-ws.js in a script tag. */
  const SerialWs: typeof import("./serial-ws.js").SerialWs;
  type SerialWs = import("./serial-ws.js").SerialWs;
  /** With serial-ws-p5.js: a port with the calls of p5.webserial. */
  function createSerial(): {
    open(...given: unknown[]): void;
    opened(): boolean;
    close(): void;
    stop(): void;
    available(): number;
    clear(): void;
    read(length?: number): string;
    readByte(): number | null;
    readBytes(length?: number): number[];
    readUntil(needle: string | number): string;
    readBytesUntil(needle: string | number): number[];
    last(): string;
    lastByte(): number | null;
    write(out: string | number | number[] | Uint8Array): boolean;
    print(out: unknown): boolean;
    println(out: unknown): boolean;
  };
  function usedSerialPorts(): string[];
}
