// Every fault says what to do: an object with `where` and `what` has a `fix`, unless `what` itself says what is asked for.
const ASKS = /\b(must|expected|is missing|unknown key|give|name)\b/;

export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: { mute: 'say with `fix` what to do about it' },
  },
  create(context) {
    const nameOf = ({ key }) => key?.name ?? key?.value;
    return {
      ObjectExpression(node) {
        const properties = node.properties.filter(({ type }) => type === 'Property');
        const what = properties.find((one) => nameOf(one) === 'what');
        const names = properties.map(nameOf);
        // What is handed on by name was said elsewhere.
        const isText = ['Literal', 'TemplateLiteral'].includes(what?.value.type);
        if (!isText || !names.includes('where') || names.includes('fix')) return;
        if (node.properties.some(({ type }) => type === 'SpreadElement')) return;
        if (!ASKS.test(context.sourceCode.getText(what.value))) context.report({ node, messageId: 'mute' });
      },
    };
  },
};
