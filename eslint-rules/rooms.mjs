// Imports run one way: a room reaches only the index of rooms before it.
import { relative, resolve, dirname, sep } from 'node:path';

export const ROOMS = [
  'words',
  'faults',
  'native',
  'store',
  'settings',
  'onnx',
  'dataset',
  'calibration',
  'quantization',
  'lint',
  'engine',
  'detection',
  'evaluation',
  'sensitivity',
  'diagnosis',
  'gate',
  'report',
  'audit',
  'baseline',
  'shards',
  'pipeline',
  'commands',
  'github',
];

export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      later: '{{from}} must not import {{to}}: imports run one way, {{to}} comes later',
      deep: 'import {{to}} by its index.js, not by a file inside',
      unknown: 'no room is called {{to}}',
    },
  },
  create(context) {
    const source = resolve(context.cwd, 'src');
    const [from] = relative(source, context.filename).split(sep);
    const check = (node) => {
      const path = node.source?.value;
      if (typeof path !== 'string' || !path.startsWith('.') || path.includes('/node_modules/')) return;
      const [to, ...rest] = relative(source, resolve(dirname(context.filename), path)).split(sep);
      if (to === from || rest.length === 0 || !ROOMS.includes(from)) return;
      if (!ROOMS.includes(to)) context.report({ node, messageId: 'unknown', data: { to } });
      else if (ROOMS.indexOf(to) > ROOMS.indexOf(from))
        context.report({ node, messageId: 'later', data: { from, to } });
      else if (rest.join('/') !== 'index.js') context.report({ node, messageId: 'deep', data: { to } });
    };
    return {
      ImportExpression: check,
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
    };
  },
};
