/** `docs/config.md`: every key of the config in tables, from the schema. */
import { keysOf, objectIn, typeWord, type Key } from "./introspect.ts";
import { configSchema } from "./schema.ts";

export function configReference(): string {
  const keys = keysOf(configSchema);
  const sections = keys.flatMap((key) => {
    const inside = objectIn(key.schema);
    if (inside === undefined) return [];
    const name = { one: key.name, record: `${key.name}.<name>`, list: `${key.name}[]` }[inside.shape];
    return [`## \`${name}\`\n\n${key.description}\n\n${table(keysOf(inside.object))}`];
  });
  return `# Config

Generated from \`src/config/\` by \`npm run generate\`. \`config/crewroom.yaml\` is a sample with the same sentences.

- \`crewroom check\` tells every problem with its line, and what to do.
- \`\${NAME}\` anywhere in a value is the environment variable \`NAME\`; \`$\${\` is a plain \`\${\`.
- A key that ends in \`_file\` names a file whose content is the value of the key without that ending.
- Paths are relative to the config file.

${table(keys)}

${sections.join("\n\n")}
`;
}

function table(keys: readonly Key[]): string {
  const rows = keys.map(
    (key) =>
      `| \`${key.name}\` | ${cell(typeWord(key.schema))} | ${cell(defaultText(key))} | ${cell(key.description)} |`,
  );
  return ["| Key | Value | Default | Meaning |", "| --- | --- | --- | --- |", ...rows].join("\n");
}

function defaultText(key: Key): string {
  if (key.default !== undefined)
    return key.default === "" ? "empty" : `\`${JSON.stringify(key.default).replace(/^"(.*)"$/, "$1")}\``;
  if (key.required) return "**required**";
  return key.optional ? "none" : "see below";
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
}
