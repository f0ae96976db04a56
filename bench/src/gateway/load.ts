/** Clients of a Redis port: connections that each send a batch of commands, wait for all its replies, and send the next one. */

import { connect, type Socket } from "node:net";

/** What clients send. */
export interface Load {
  readonly clients: number;
  /** How many commands are sent in one piece. */
  readonly pipelined: number;
  /** The n-th command, its words. */
  readonly command: (n: number) => readonly string[];
  /** How many lines each reply has. */
  readonly lines: number;
}

/** Connections that are open. */
export class Clients {
  readonly #load: Load;
  readonly #sockets: readonly Socket[];
  #sent = 0;

  private constructor(load: Load, sockets: readonly Socket[]) {
    this.#load = load;
    this.#sockets = sockets;
  }

  /** Opens the connections of a load. */
  static async open(port: number, load: Load): Promise<Clients> {
    const sockets = Array.from(
      { length: load.clients },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
          socket.once("error", reject);
        }),
    );
    return new Clients(load, await Promise.all(sockets));
  }

  /** Sends so many commands, and waits for all replies. */
  async run(count: number): Promise<void> {
    const until = this.#sent + count;
    await Promise.all(this.#sockets.map((socket) => this.#drive(socket, until)));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #drive(socket: Socket, until: number): Promise<void> {
    const { pipelined, lines, command } = this.#load;
    return new Promise((resolve, reject) => {
      let due = 0;
      const send = (): void => {
        const batch = Math.min(pipelined, until - this.#sent);
        if (batch <= 0) {
          socket.removeAllListeners("data");
          return resolve();
        }
        due = batch * lines;
        let text = "";
        for (let left = batch; left > 0; left--) text += encoded(command(this.#sent++));
        socket.write(text, "latin1");
        return undefined;
      };
      socket.on("data", (chunk: Buffer) => {
        if (chunk[0] === 45) return reject(new Error(chunk.toString()));
        for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) due--;
        if (due === 0) send();
        return undefined;
      });
      send();
    });
  }
}

/** A command as it is sent. */
export function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}
