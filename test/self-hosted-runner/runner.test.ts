import { describe, expect, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { withFolder } from '../commands/child.js';

const ROOT = resolve('self-hosted-runner');

interface Ended {
  readonly status: number;
  readonly text: string;
}

/** Runs a script with a PATH on which stand-ins come first. */
function script(name: string, folder: string, env: Record<string, string> = {}): Promise<Ended> {
  const environment = { PATH: `${folder}:${process.env.PATH ?? ''}`, HOME: folder, ...env };
  return new Promise((done) =>
    execFile(join(ROOT, name), { env: environment }, (error, stdout, stderr) =>
      done({
        status: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        text: stdout + stderr,
      }),
    ),
  );
}

async function program(folder: string, name: string, lines: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${lines}\n`);
  await chmod(join(folder, name), 0o755);
}

/** An nvidia-smi that knows slowdowns by the names of newer or of older drivers, or not at all. */
const smi = (cards: readonly string[], hot: readonly string[], names = 'clocks_event_reasons'): string =>
  `case "$1" in
  --query-gpu=${names}.*) printf '%s\\n' ${hot.map((one) => `'${one}'`).join(' ')};;
  --query-gpu=clocks*) echo 'Field "x" is not a valid field to query.'; exit 2;;
  *) printf '%s\\n' ${cards.map((one) => `'${one}'`).join(' ')};;
esac`;
const HEALTHY = smi(['NVIDIA T4, 15000, 41, 0'], ['Not Active']);

describe('the health of a GPU before a job', () => {
  test.each<[string, string, number, RegExp]>([
    ['is good', HEALTHY, 0, /^$/],
    [
      'is good where the card counts no memory errors (Jetson, GeForce)',
      smi(['Orin (nvgpu), 8000, 50, [N/A]'], ['[N/A]']),
      0,
      /^$/,
    ],
    [
      'too little memory',
      smi(['NVIDIA T4, 900, 41, 0'], ['Not Active']),
      1,
      /T4 has 900 MiB free, a job needs 2048/,
    ],
    [
      'memory errors',
      smi(['NVIDIA T4, 15000, 41, 3'], ['Not Active']),
      1,
      /counted 3 uncorrected memory errors/,
    ],
    ['too hot', smi(['NVIDIA T4, 15000, 93, 0'], ['Active']), 1, /too hot \(93 °C\)/],
    [
      'too hot, by an older driver',
      smi(['NVIDIA T4, 15000, 93, 0'], ['Active'], 'clocks_throttle_reasons'),
      1,
      /too hot \(93 °C\)/,
    ],
    ['is good where the driver knows no slowdowns', smi(['NVIDIA T4, 15000, 41, 0'], [], 'nothing'), 0, /^$/],
    [
      'the second of two',
      smi(['NVIDIA T4, 15000, 41, 0', 'NVIDIA L4, 100, 40, 0'], ['Not Active', 'Not Active']),
      1,
      /L4 has 100 MiB free/,
    ],
    [
      'the second of two is too hot',
      smi(['NVIDIA T4, 15000, 41, 0', 'NVIDIA L4, 9000, 95, 0'], ['Not Active', 'Active']),
      1,
      /L4 slows down because it is too hot \(95 °C\)/,
    ],
    ['a driver that hangs', 'exec sleep 60', 1, /nvidia-smi hangs: look at dmesg/],
    [
      'a driver that fails',
      "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18",
      1,
      /nvidia-smi fails: Failed to initialize NVML/,
    ],
    ['no GPU', 'true', 1, /sees none/],
  ])('%s', async (_, smi, status, words) => {
    await withFolder(async (folder) => {
      await program(folder, 'nvidia-smi', smi);
      const ended = await script('hooks/gpu-health.sh', folder, { INT8_GATE_SMI_SECONDS: '1' });
      expect(ended.text).toMatch(words);
      expect(ended.status).toBe(status);
    });
  });

  test('is that of the GPU of this runner, where there are more', async () => {
    await withFolder(async (folder) => {
      await program(folder, 'nvidia-smi', `echo "$@" >> '${folder}/asked'\n${HEALTHY}`);
      await script('hooks/gpu-health.sh', folder, { CUDA_VISIBLE_DEVICES: '1' });
      const asked = (await readFile(join(folder, 'asked'), 'utf8')).trim().split('\n');
      expect(asked).toEqual([expect.stringMatching(/ --id=1$/), expect.stringMatching(/ --id=1$/)]);
    });
  });
});

describe('before a job', () => {
  test.each<[string, string, string, boolean]>([
    ['any repository where none is named', '', 'a/b', true],
    ['the one that is named', 'a/b', 'a/b', true],
    ['all of an owner', 'x/y a/*', 'a/b', true],
    ['no other', 'a/b', 'a/bc', false],
    ['none by a name that is a pattern', 'a/b', '*', false],
  ])('%s', async (_, allowed, repository, takes) => {
    await withFolder(async (folder) => {
      await program(folder, 'nvidia-smi', HEALTHY);
      const workspace = join(folder, 'work');
      await mkdir(join(workspace, '.git'), { recursive: true });
      await writeFile(join(workspace, 'left over'), '');
      const { status, text } = await script('hooks/job-started.sh', folder, {
        INT8_GATE_REPOSITORIES: allowed,
        GITHUB_REPOSITORY: repository,
        GITHUB_WORKSPACE: workspace,
      });
      expect([status === 0, text !== '']).toEqual([takes, !takes]);
      expect(await readdir(workspace)).toEqual(takes ? [] : ['.git', 'left over']);
    });
  });
});

test('after a job the workspace is empty, and the cache is cut to its size, what was not used longest first', async () => {
  await withFolder(async (folder) => {
    await program(folder, 'pgrep', 'exit 1');
    const [workspace, cache] = [join(folder, 'work'), join(folder, 'cache', 'int8-gate')];
    await mkdir(join(workspace, 'a'), { recursive: true });
    await mkdir(join(cache, 'engines'), { recursive: true });
    const mebibyte = Buffer.alloc(2 ** 20, 1);
    for (const [i, name] of ['old one', 'middle', 'new'].entries()) {
      const file = join(cache, 'engines', name);
      await writeFile(file, mebibyte);
      await utimes(file, new Date(2020 + i, 1), new Date(2020 + i, 1));
    }
    await writeFile(join(cache, 'engines', 'gpu-0.lock'), '57');
    const env = { GITHUB_WORKSPACE: workspace, XDG_CACHE_HOME: join(folder, 'cache') };
    expect(await script('hooks/job-completed.sh', folder, env)).toEqual({ status: 0, text: '' });
    expect([await readdir(workspace), (await readdir(join(cache, 'engines'))).sort()]).toEqual([
      [],
      ['gpu-0.lock', 'middle', 'new', 'old one'],
    ]);
    expect(await script('hooks/job-completed.sh', folder, { ...env, INT8_GATE_CACHE_GIB: '0' })).toEqual({
      status: 0,
      text: '',
    });
    // What another container may hold stays.
    expect(await readdir(join(cache, 'engines'))).toEqual(['gpu-0.lock']);
  });
});

test('after a job only workers of this service or container are ended', async () => {
  await withFolder(async (folder) => {
    const [own, neighbour] = [spawn('sleep', ['30']), spawn('sleep', ['30'])];
    const ends = [own, neighbour].map((worker) => once(worker, 'exit'));
    await program(folder, 'pgrep', `echo ${neighbour.pid}; echo ${own.pid}`);
    await program(
      folder,
      'cmp',
      `[ "$2" != /proc/${neighbour.pid}/cgroup ] && exec /usr/bin/cmp "$@"; exit 1`,
    );
    expect((await script('hooks/job-completed.sh', folder, { XDG_CACHE_HOME: folder })).status).toBe(0);
    expect(await ends[0]).toEqual([null, 'SIGKILL']);
    neighbour.kill('SIGTERM');
    expect(await ends[1]).toEqual([null, 'SIGTERM']);
  });
});

describe('the entry of the image', () => {
  const start = (folder: string, env: Record<string, string>): Promise<Ended> =>
    script('entrypoint.sh', folder, {
      RUNNER_HOME: folder,
      JIT_CONFIG_FILE: join(folder, 'jit-config'),
      ...env,
    });

  test('runs one job with the configuration, which the job cannot read', async () => {
    await withFolder(async (folder) => {
      await program(folder, 'run.sh', 'echo "$@"; env');
      await writeFile(join(folder, 'jit-config'), 'c2VjcmV0\n');
      const { status, text } = await start(folder, { GITHUB_TOKEN: 'token' });
      expect([status, text.split('\n')[0]]).toEqual([0, '--jitconfig c2VjcmV0']);
      expect(text).not.toMatch(/JIT_CONFIG|token/);
      expect(await readdir(folder)).not.toContain('jit-config');
    });
  });

  test.each([
    ['no configuration', false, true, /mount one at .*jit-config or set JIT_CONFIG/],
    ['no runner in the image', true, false, /no run\.sh/],
  ])('%s is told', async (_, config, runner, words) => {
    await withFolder(async (folder) => {
      if (runner) await program(folder, 'run.sh', 'true');
      const { status, text } = await start(folder, config ? { JIT_CONFIG: 'c2VjcmV0' } : {});
      expect([status, words.test(text)]).toEqual([3, true]);
    });
  });
});

describe('files for Docker, Kubernetes and systemd', () => {
  const document = async (name: string): Promise<Record<string, unknown>> => {
    const [first, ...others] = parseAllDocuments(await readFile(join(ROOT, name), 'utf8'));
    expect([first?.errors, others]).toEqual([[], []]);
    return first?.toJS() as Record<string, unknown>;
  };

  test('values of the runner scale set are keys that the chart 0.14 knows, a whole GPU a pod, no root', async () => {
    const values = await document('kubernetes/arc-values.yaml');
    const known = [
      'githubConfigUrl',
      'githubConfigSecret',
      'runnerScaleSetName',
      'minRunners',
      'maxRunners',
      'template',
    ];
    expect(Object.keys(values).sort()).toEqual(known.sort());
    expect(values).toMatchObject({
      template: {
        spec: {
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true },
          containers: [
            {
              name: 'runner',
              command: ['/home/runner/run.sh'],
              image: expect.stringMatching(/@sha256:/),
              resources: { limits: { 'nvidia.com/gpu': '1' } },
              securityContext: { allowPrivilegeEscalation: false },
            },
          ],
        },
      },
    });
  });

  test.each(['kubernetes/network-policy.yaml', 'kubernetes/time-slicing.yaml'])(
    '%s is an object of Kubernetes',
    async (name) => {
      expect(await document(name)).toMatchObject({
        apiVersion: expect.any(String),
        kind: expect.any(String),
        metadata: { name: expect.stringMatching(/^[a-z0-9-]+$/) },
      });
    },
  );

  test('the composed runner has one GPU and no way to more rights', async () => {
    expect(await document('compose.yaml')).toMatchObject({
      services: {
        runner: {
          cap_drop: ['ALL'],
          security_opt: ['no-new-privileges:true'],
          deploy: { resources: { reservations: { devices: [{ driver: 'nvidia', capabilities: ['gpu'] }] } } },
        },
      },
    });
  });

  test('the image ends as a user without rights, copies only what is there, and both bases can be pinned', async () => {
    const text = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    // By number, or Kubernetes cannot hold it against runAsNonRoot.
    expect([...text.matchAll(/^USER (.*)$/gm)].map(([, user]) => user)).toEqual(['1001:1001']);
    expect([...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image)).toEqual([
      '${RUNNER_IMAGE}',
      '${TENSORRT_IMAGE}',
    ]);
    const copied = [...text.matchAll(/^COPY (?!--from)(?:--\S+ )*(.*) \S+$/gm)].flatMap(([, files]) =>
      (files ?? '').split(' '),
    );
    const allowed = (await readFile(join(ROOT, 'Dockerfile.dockerignore'), 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('!'));
    expect(copied.map((file) => `!${file}`).sort()).toEqual(allowed.sort());
    for (const file of copied)
      await expect(readdir(resolve(file)).catch(() => readFile(resolve(file)))).resolves.toBeDefined();
  });

  test('the service ends each job whole and begins the next', async () => {
    const unit = await readFile(join(ROOT, 'systemd', 'int8-gate-runner@.service'), 'utf8');
    for (const line of [
      'Restart=always',
      'KillMode=control-group',
      'NoNewPrivileges=yes',
      'Environment=CUDA_VISIBLE_DEVICES=%i',
      // Nothing that two runners beside each other write to is shared.
      'Environment=RUNNER_HOME=/opt/actions-runner/%i',
      'Environment=XDG_CACHE_HOME=/var/cache/int8-gate/%i',
      'CacheDirectory=int8-gate/%i',
    ])
      expect(unit.split('\n')).toContain(line);
    // What asks GitHub for a configuration holds a token, and jobs are no root.
    expect(unit).toMatch(/^User=int8-gate$/m);
    expect(unit).toMatch(/^ExecStartPre=\+.*\/etc\/int8-gate\/jit-config/m);
    expect(unit).not.toMatch(/^ExecStart=.*\/etc\/int8-gate/m);
  });
});
