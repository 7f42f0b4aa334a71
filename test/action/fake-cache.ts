import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FakeEntry } from './fake-state.js';

/** Version 2 of GitHub's cache service, and the storage that its addresses lead to. */
export class FakeCache {
  /** Methods of the service that were called, with the key. */
  readonly seen: string[] = [];
  /** `down` answers 503, `denied` 403, `hang` not at all. */
  fault: 'down' | 'denied' | 'hang' | undefined;
  /** Another job at the same time: just before an address is handed out. */
  before: () => void = () => undefined;
  private readonly uploads = new Map<string, Buffer>();
  private server: Server | undefined;
  private url = '';
  private clock = 0;

  constructor(private readonly entries: FakeEntry[]) {}

  async start(): Promise<string> {
    this.server = createServer((request, response) => void this.serve(request, response));
    await new Promise<void>((done) => this.server?.listen(0, '127.0.0.1', done));
    this.url = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/`;
    return this.url;
  }

  async stop(): Promise<void> {
    this.server?.closeAllConnections();
    await new Promise<void>((done) => this.server?.close(() => done()));
  }

  /** What the runner sets for a job: its token names the refs that the job may read, its own first. */
  environment(refs: readonly string[], event: string): NodeJS.ProcessEnv {
    return {
      ACTIONS_RESULTS_URL: this.url,
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RUNTIME_TOKEN: Buffer.from(JSON.stringify(refs)).toString('base64url'),
      GITHUB_REF: refs[0],
      GITHUB_EVENT_NAME: event,
      GITHUB_SERVER_URL: 'https://github.com',
    };
  }

  /** Puts an entry there as a job of that ref would. */
  add(entry: Omit<FakeEntry, 'createdAt'>): void {
    this.entries.push({ ...entry, createdAt: new Date(2026, 0, 1, 0, this.clock++).toISOString() });
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { pathname } = new URL(request.url ?? '/', this.url);
    if (this.fault === 'hang') return;
    if (this.fault !== undefined)
      return void response.writeHead(this.fault === 'down' ? 503 : 403).end(`{"msg":"${this.fault}"}`);
    const blob = /^\/blob\/(.+)$/.exec(pathname)?.[1];
    if (blob !== undefined) return this.store(request.method ?? '', decodeURIComponent(blob), body, response);
    const method = /^\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/.exec(pathname)?.[1];
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const refs = JSON.parse(Buffer.from(token, 'base64url').toString()) as string[];
    const asked = JSON.parse(body.toString()) as Record<string, unknown>;
    this.seen.push(`${method ?? '?'} ${String(asked.key)}`);
    const answer = this.call(method, refs, asked);
    response
      .writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
      .end(JSON.stringify(answer ?? {}));
  }

  private store(method: string, name: string, body: Buffer, response: ServerResponse): void {
    if (method === 'PUT') {
      this.uploads.set(name, body);
      response.writeHead(201, { etag: '"1"', 'last-modified': new Date(0).toUTCString() }).end();
      return;
    }
    const bytes = this.entries[Number(name)]?.bytes;
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  }

  private call(
    method: string | undefined,
    refs: readonly string[],
    { key, restore_keys = [], version }: Record<string, unknown>,
  ): object | undefined {
    const own = refs[0] as string;
    const name = `${own} ${String(key)} ${String(version)}`;
    switch (method) {
      case 'GetCacheEntryDownloadURL': {
        this.before();
        const index = this.find(refs, [String(key), ...(restore_keys as string[])], String(version));
        const matched_key = this.entries[index]?.key;
        if (matched_key === undefined) return { ok: false };
        return { ok: true, signed_download_url: `${this.url}blob/${index}`, matched_key };
      }
      case 'CreateCacheEntry': {
        const there = this.entries.some(
          (one) => one.ref === own && one.key === key && one.version === version,
        );
        if (there) return { ok: false, message: 'there is one already' };
        return { ok: true, signed_upload_url: `${this.url}blob/${encodeURIComponent(name)}` };
      }
      case 'FinalizeCacheEntryUpload': {
        const bytes = this.uploads.get(name);
        if (bytes === undefined) return { ok: false };
        this.add({ ref: own, key: String(key), version: String(version), bytes });
        return { ok: true, entry_id: String(this.entries.length) };
      }
      default:
        return undefined;
    }
  }

  /** As GitHub looks: ref by ref, key by key, the newest. */
  private find(refs: readonly string[], keys: readonly string[], version: string): number {
    for (const ref of refs)
      for (const key of keys)
        for (let i = this.entries.length - 1; i >= 0; i--) {
          const entry = this.entries[i];
          if (entry?.ref === ref && entry.version === version && entry.key.startsWith(key)) return i;
        }
    return -1;
  }
}
