import { wordsOf, type EngineLayer, type Slowdown } from '../engine/index.js';
import type { EngineRow, EnginesSection, Finding } from '../report/index.js';
import { ENGINE_NAMES, type Confirmation, type Confirmed, type EngineVariant } from './confirm.js';
import type { Gpu } from './gpu.js';

/** Simulation and engine further apart than this in mAP50-95 is told. */
const PARTED = 0.01;
/** Of TensorRT's own INT8: more than this is told. */
const SLOWER = 1.1;
/** Layers named in a sentence. */
const NAMED = 5;

/** The report's section on real engines. */
export function enginesSection({ gpu, engines }: Confirmation): EnginesSection {
  const { hello } = gpu.engine;
  const known = 'unknown' in gpu.state ? undefined : gpu.state;
  return {
    library: `TensorRT ${hello.tensorrt}`,
    gpu: known?.name ?? `GPU of compute capability ${hello.gpu.computeCapability}`,
    computeCapability: hello.gpu.computeCapability,
    driver: known?.driver ?? hello.cuda.driver,
    cuda: hello.cuda.runtime,
    clockMHz: known?.smClockMHz ?? null,
    powerState: known?.powerState ?? null,
    noise: [...disturbances(gpu)],
    slowdowns: gpu.slowdownsUnknown === undefined ? [...gpu.slowdowns.keys()] : null,
    rows: engines.map(rowOf),
  };
}

function rowOf({ variant, measured, details, drop, simulated, asked }: Confirmed): EngineRow {
  const { layers } = details;
  return {
    variant,
    AP: measured.evaluation.stats.AP,
    AP50: measured.evaluation.stats.AP50,
    simulatedAP: simulated ?? null,
    drop: drop === undefined || !Number.isFinite(drop.map.drop) ? null : drop.map.drop,
    batch: details.batch,
    medianMs: details.timing.medianMs,
    p99Ms: details.timing.p99Ms,
    graphMedianMs: details.graphTiming?.medianMs ?? null,
    imagesPerSecond: (1000 * details.batch) / batchMs(details),
    engineBytes: details.engineBytes,
    deviceBytes: details.deviceBytes ?? null,
    buildSeconds: details.buildSeconds,
    layers: layers === undefined ? null : countsOf(layers),
    reformatMs:
      layers === undefined
        ? null
        : sumMs(
            layers,
            layers.filter(({ reformat }) => reformat),
          ),
    notInt8: layers === undefined ? [] : notInt8(layers, asked),
  };
}

function countsOf(layers: readonly EngineLayer[]): NonNullable<EngineRow['layers']> {
  const count = (test: (layer: EngineLayer) => boolean): number => layers.filter(test).length;
  const working = (precision: EngineLayer['precision']) => (layer: EngineLayer) =>
    !layer.reformat && layer.precision === precision;
  return {
    int8: count(working('int8')),
    fp16: count(working('fp16')),
    fp32: count(working('fp32')),
    reformats: count(({ reformat }) => reformat),
  };
}

/** Milliseconds of a batch: with a CUDA graph where the engine could be captured. */
function batchMs({ graphTiming, timing }: Confirmed['details']): number {
  return (graphTiming ?? timing).medianMs;
}

/** Null where the profiler told no layer's time. */
function sumMs(all: readonly EngineLayer[], layers: readonly EngineLayer[]): number | null {
  return all.some(({ ms }) => ms !== undefined) ? layers.reduce((sum, { ms }) => sum + (ms ?? 0), 0) : null;
}

/** Nodes that the plan has in INT8 and the engine runs in something wider. */
function notInt8(layers: readonly EngineLayer[], asked: readonly string[]): EngineRow['notInt8'] {
  // A node may be spread over layers; where its INT8 kernel is among them, it is in INT8.
  const done = new Set(layers.filter(({ precision }) => precision === 'int8').flatMap(({ nodes }) => nodes));
  const wanted = new Set(asked.filter((node) => !done.has(node)));
  return layers.flatMap(({ nodes, precision, reformat, ms }) =>
    reformat || precision === 'int8'
      ? []
      : nodes
          .filter((node) => wanted.has(node))
          .map((node) => ({ layer: node, got: precision, ms: ms ?? null })),
  );
}

/** What a person should know of the engines beside their numbers. */
export function engineFindings(confirmation: Confirmation): readonly Finding[] {
  const { engines } = confirmation;
  const fp16 = engines.find(({ variant }) => variant === 'fp16');
  return [
    ...engines.flatMap((one) => (fp16 === undefined || one.asked.length === 0 ? [] : doesNotPay(one, fp16))),
    ...slowerThanImplicit(engines),
    ...engines.flatMap(parted),
    ...engines.flatMap(fallenBack),
    ...byTrtexec(confirmation.gpu.engine.because),
    ...slowedDown(confirmation.gpu),
    ...confirmation.gpu.noise.map((reason): Finding => ({
      kind: 'noisy-gpu',
      severity: 'warning',
      subject: 'GPU',
      sentence: `Latencies may be wrong: ${reason}.`,
      advice: 'Give the gate a GPU of its own while it runs; until then limits on latency are inconclusive.',
    })),
  ];
}

/** Why times are not to be trusted, as the middle of a sentence; empty when they are. */
export function disturbances(gpu: Gpu): readonly string[] {
  return [...gpu.noise, ...[...gpu.slowdowns].map(([reason, timed]) => slowdownWords(reason, timed))];
}

function slowdownWords(reason: Slowdown, timed: readonly string[]): string {
  const { what, cure } = wordsOf(reason);
  const [one = ''] = timed;
  const when = timed.length === 1 ? `the ${one} was` : `${timed.length} engines were`;
  return `${what} while ${when} timed. ${cure.replace(/\.$/, '')}`;
}

function slowedDown({ slowdowns, slowdownsUnknown }: Gpu): readonly Finding[] {
  const known = [...slowdowns].map(([reason, timed]): Finding => {
    const { what, cure } = wordsOf(reason);
    return {
      kind: 'slowed-down',
      severity: 'warning',
      subject: 'GPU',
      sentence: `Latencies may be wrong: ${what} while ${timed.length === 1 ? 'this was' : 'these were'} timed: ${timed.join(', ')}.`,
      advice: `${cure} Until then limits on latency are inconclusive.`,
    };
  });
  if (slowdownsUnknown === undefined) return known;
  return [
    ...known,
    {
      kind: 'slowdowns-unknown',
      severity: 'info',
      subject: 'GPU',
      sentence: `Whether heat or power slowed the GPU down while engines were timed is not known: ${slowdownsUnknown}.`,
      advice:
        'Lock a clock that it holds (`nvidia-smi -lgc`; `jetson_clocks` on a Jetson), and times repeat.',
    },
  ];
}

/** What a run without Python measured less of. */
function byTrtexec(because: string | undefined): readonly Finding[] {
  if (because === undefined) return [];
  return [
    {
      kind: 'trtexec-alone',
      severity: 'info',
      subject: 'trtexec',
      sentence: `Engines were built and run by trtexec, since ${because}: outputs have six digits, and GPU memory was not measured.`,
      advice: 'Install TensorRT for the Python that engine.tensorrt.python names; it is faster too.',
    },
  ];
}

/** What the conversions between precisions cost, in a sentence that follows another. */
function reformatsOf({ layers = [] }: Confirmed['details']): string {
  const reformats = layers.filter(({ reformat }) => reformat);
  if (reformats.length === 0) return '';
  const sum = sumMs(layers, reformats);
  if (sum === null)
    return ` ${reformats.length} reformats between precisions are in it; TensorRT told no times of layers.`;
  const dearest = [...reformats].sort((a, b) => (b.ms ?? 0) - (a.ms ?? 0)).slice(0, NAMED);
  const named = dearest.map(({ name, ms }) => `${name} (${(ms ?? 0).toFixed(3)} ms)`).join(', ');
  return ` ${reformats.length} reformats between precisions take ${sum.toFixed(2)} ms of the profile; the dearest: ${named}.`;
}

/** INT8 that is not faster than FP16 costs accuracy for nothing. */
function doesNotPay({ variant, details }: Confirmed, fp16: Confirmed): readonly Finding[] {
  const [own, other] = [batchMs(details), batchMs(fp16.details)];
  if (own < other) return [];
  return [
    {
      kind: 'int8-does-not-pay',
      severity: 'warning',
      subject: variant,
      sentence: `The ${ENGINE_NAMES[variant]} takes ${own.toFixed(3)} ms a batch of ${details.batch}, FP16 takes ${other.toFixed(3)} ms: INT8 gains nothing on this GPU.${reformatsOf(details)}`,
      advice:
        'Ship FP16 on this GPU, or measure on the device that you ship to: large GPUs gain little from INT8 with small detectors at small batches.',
    },
  ];
}

/** Where TensorRT's own placement is faster, our Q/DQ costs something that can be had for nothing. */
function slowerThanImplicit(engines: readonly Confirmed[]): readonly Finding[] {
  const of = (name: EngineVariant): Confirmed | undefined => engines.find(({ variant }) => variant === name);
  const [implicit, ours] = [of('implicit'), of('mixed') ?? of('int8')];
  if (implicit === undefined || ours === undefined) return [];
  const ratio = batchMs(ours.details) / batchMs(implicit.details);
  if (ratio <= SLOWER) return [];
  return [
    {
      kind: 'slower-than-implicit',
      severity: 'info',
      subject: ours.variant,
      sentence: `TensorRT's own INT8 takes ${batchMs(implicit.details).toFixed(3)} ms a batch at mAP50-95 ${implicit.measured.evaluation.stats.AP.toFixed(3)}, ours takes ${ratio.toFixed(2)} times as long at ${ours.measured.evaluation.stats.AP.toFixed(3)}.`,
      advice: 'Layers kept float, and reformats around them, are what it pays for; see the times by layer.',
    },
  ];
}

function parted({ variant, measured, simulated }: Confirmed): readonly Finding[] {
  const { AP } = measured.evaluation.stats;
  if (simulated === undefined || Math.abs(AP - simulated) <= PARTED) return [];
  return [
    {
      kind: 'simulation-parts',
      severity: 'warning',
      subject: variant,
      sentence: `The ${ENGINE_NAMES[variant]} reaches mAP50-95 ${AP.toFixed(3)} where simulation says ${simulated.toFixed(3)}.`,
      advice: 'The engine is what is judged. The ranking of layers comes from simulation: take it with care.',
    },
  ];
}

function fallenBack({ variant, details, asked }: Confirmed): readonly Finding[] {
  const found = notInt8(details.layers ?? [], asked);
  if (found.length === 0) return [];
  const names = found.slice(0, NAMED).map(({ layer, got }) => `${layer} (${got.toUpperCase()})`);
  return [
    {
      kind: 'not-int8',
      severity: 'info',
      subject: variant,
      sentence: `${found.length} of ${asked.length} layers that the plan has in INT8 run otherwise in the ${ENGINE_NAMES[variant]}: ${names.join(', ')}${found.length > NAMED ? ', …' : ''}.`,
      advice:
        'TensorRT found no faster INT8 kernel for them; keeping them float in the plan saves reformats.',
    },
  ];
}
