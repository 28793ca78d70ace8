/** Numbers as keys: 16 digits are enough for every safe integer, so that text sorts as numbers. */
const keyDigits = 16;

export function numberKey(value: number): string {
  return String(value).padStart(keyDigits, "0");
}
