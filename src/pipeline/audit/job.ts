import { formatAuditMarkdown, type Audit } from '../../audit/index.js';
import { listImages } from '../../dataset/index.js';
import { EXIT, InputFault, type ExitStatus } from '../../faults/index.js';
import { formatAuditHtml } from '../../report/index.js';
import type { LoadedSettings } from '../../settings/index.js';
import { calibrateAsIs } from '../calibrate.js';
import type { Context } from '../context.js';
import { detect, modelOf } from '../measure.js';
import { feedOf, prepare, type Bench } from '../prepare.js';
import { VERSION } from '../version.js';
import { writeTogether } from '../write-together.js';
import type { Seen } from './kinds.js';
import { lookAt, lookAtValidation } from './look.js';
import { auditSection, type AuditMaterial } from './section.js';

/** What an audit leaves behind. */
export interface AuditResult {
  readonly audit: Audit;
  readonly exitStatus: ExitStatus;
}

/**
 * Looks at every calibration image and at what the model makes of it, beside the validation set.
 * Writes audit.json, audit.md and audit.html.
 */
export async function runAudit(loaded: LoadedSettings, context: Context): Promise<AuditResult> {
  const { settings } = loaded;
  const listed = await listImages(settings.calibration.images);
  const { features, broken } = await lookAt(listed, loaded, context, 'calibration');
  const sound = new Set(features.map(({ name }) => name));
  if (sound.size === 0)
    throw new InputFault({
      where: loaded.place('/calibration/images'),
      what: `none of the ${listed.length} images in ${settings.calibration.images} can be read; the first: ${broken[0]?.reason ?? ''}`,
      fix: 'Name a folder of photographs.',
    });
  const bench = await prepare(
    loaded,
    context,
    listed.filter(({ name }) => sound.has(name)),
  );
  try {
    const section = await auditSection(await materialOf(bench, features, broken));
    const audit: Audit = {
      schema: 'int8-gate/audit',
      version: 1,
      tool: { name: 'int8-gate', version: VERSION },
      createdAt: new Date().toISOString(),
      model: bench.model.name,
      ...section,
    };
    await writeTogether(context.out, {
      'audit.json': `${JSON.stringify(audit, null, 1)}\n`,
      'audit.md': formatAuditMarkdown(audit),
      'audit.html': formatAuditHtml(audit, audit),
    });
    return { audit, exitStatus: audit.verdict.kind === 'pass' ? EXIT.pass : EXIT.fail };
  } finally {
    context.progress.end();
    await bench.engine.close();
  }
}

async function materialOf(
  bench: Bench,
  features: AuditMaterial['images'],
  broken: AuditMaterial['broken'],
): Promise<AuditMaterial> {
  const { context, truth, loaded } = bench;
  const shown = await lookAtValidation(truth.images, loaded, context);
  // Calibration may use fewer images than the folder holds (`calibration.count`): what it uses is what is judged.
  const byName = new Map(features.map((image) => [image.name, image]));
  const images = bench.calibrationRecords.flatMap(({ name }) => byName.get(name) ?? []);
  const calibrated = await calibrateAsIs(bench, { extremes: true });
  context.progress.phase(`Observing ${truth.images.length} validation images`);
  const validation = await bench.engine.collect(
    modelOf(bench, 'FP32', bench.bytes),
    bench.tensors,
    feedOf(bench, bench.validation),
    {
      signal: context.signal,
      onProgress: (done, total) => context.progress.update(done, total),
    },
  );
  const seen = await detectBoth(bench);
  return { ...calibrated, images, shown, broken, validation, observed: truth.images.length, seen };
}

async function detectBoth(bench: Bench): Promise<Seen> {
  const session = await bench.engine.load(modelOf(bench, 'FP32', bench.referenceBytes));
  try {
    bench.context.progress.phase('Detecting on both sets');
    return {
      calibration: await detect(bench, session, 'FP32', feedOf(bench, bench.calibration)),
      validation: await detect(bench, session, 'FP32', feedOf(bench, bench.validation)),
    };
  } finally {
    await session.release();
  }
}
