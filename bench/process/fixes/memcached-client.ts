/** memcached's binary protocol, as far as a load needs it. Source: docs.memcached.org, protocol-binary. */
import { connect, type Socket } from "node:net";

const OP = { GET: 0x00, SET: 0x01, SASL_AUTH: 0x21 };
const HEADER_BYTES = 24;
const [REQUEST, RESPONSE] = [0x80, 0x81];

interface Reply {
  readonly status: number;
  readonly value: string;
}

export class BinaryClient implements Disposable {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (data) => this.#take(Buffer.from(data)));
    const broken = (): void => this.#waiting?.reject(new Error("the connection is lost"));
    socket.on("error", broken).on("close", broken);
  }

  static async connect(port: number): Promise<BinaryClient> {
    return await new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new BinaryClient(socket)));
      socket.once("error", reject);
    });
  }

  /** Whether the password is taken (SASL, PLAIN). */
  async login(user: string, password: string): Promise<boolean> {
    return (await this.#send(OP.SASL_AUTH, "PLAIN", `\0${user}\0${password}`)).status === 0;
  }

  async set(key: string, value: string): Promise<void> {
    const { status } = await this.#send(OP.SET, key, value, Buffer.alloc(8));
    if (status !== 0) throw new Error(`set: status ${status}`);
  }

  async get(key: string): Promise<string> {
    const { status, value } = await this.#send(OP.GET, key, "");
    if (status !== 0) throw new Error(`get: status ${status}`);
    return value;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #send(code: number, key: string, value: string, extras = Buffer.alloc(0)): Promise<Reply> {
    const [name, body] = [Buffer.from(key), Buffer.from(value)];
    const header = Buffer.alloc(HEADER_BYTES);
    header[0] = REQUEST;
    header[1] = code;
    header.writeUInt16BE(name.length, 2);
    header[4] = extras.length;
    header.writeUInt32BE(extras.length + name.length + body.length, 8);
    return await new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(Buffer.concat([header, extras, name, body]));
    });
  }

  #take(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    if (this.#received.length < HEADER_BYTES) return;
    const length = this.#received.readUInt32BE(8);
    if (this.#received.length < HEADER_BYTES + length) return;
    const reply = this.#received.subarray(0, HEADER_BYTES + length);
    this.#received = this.#received.subarray(HEADER_BYTES + length);
    const before = HEADER_BYTES + (reply[4] ?? 0) + reply.readUInt16BE(2);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (reply[0] !== RESPONSE) waiting?.reject(new Error("no answer of the binary protocol"));
    else waiting?.resolve({ status: reply.readUInt16BE(6), value: reply.toString("utf8", before) });
  }
}
