/** What the schemas of the report are put together from. */

export const text = { type: 'string' } as const;
export const number = { type: 'number' } as const;
export const flag = { type: 'boolean' } as const;
export const nullable = { type: ['number', 'null'] } as const;
export const texts = { type: 'array', items: text } as const;
export const numbers = { type: 'array', items: number } as const;

/** An object that has these properties and no others. */
export const object = <const P extends object, const R extends readonly (keyof P)[]>(
  properties: P,
  required: R,
) => ({ type: 'object', additionalProperties: false, properties, required }) as const;
