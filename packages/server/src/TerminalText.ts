/**
 * One line of text for a terminal. Ids, headers and answers of services come from others: a control character in
 * them could recolour the terminal, set its title, or make a line look like one of Muster's own.
 */
export const printable = (text: string): string =>
  text.replace(/[\t\r\n]+/g, " ").replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, "?")
