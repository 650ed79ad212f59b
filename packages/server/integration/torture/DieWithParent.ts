/**
 * Ends this process when the one that has started it is gone, however that came about: nobody else would.
 */
export const dieWithParent = (): void => {
  process.stdin.on("close", () => process.exit(1))
  process.stdin.resume()
}
