import tseslint from 'typescript-eslint';
import advice from './eslint-rules/advice.mjs';
import rooms from './eslint-rules/rooms.mjs';

export default tseslint.config(
  {
    ignores: [
      'dist',
      'build',
      'node_modules',
      'src/onnx/generated',
      'src/report/html/generated',
      'fixtures',
      '**/*.mjs',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true } },
    plugins: { house: { rules: { advice, rooms } } },
    rules: {
      'house/rooms': 'error',
      'max-lines': ['error', 400],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
      // ONNX stores enums as plain numbers.
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  { files: ['src/**'], rules: { 'house/advice': 'error' } },
  { files: ['test/**', 'bench/**'], rules: { '@typescript-eslint/require-await': 'off' } },
);
