/**
 * The mark and the name.
 */
export function Brand() {
  return (
    <>
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="7" />
        <path d="M6 8.5A1.5 1.5 0 0 1 9.7 7.6L16 18l6.300-10.400A1.500 1.500 0 0 1 26 8.500V25h-5V16l-5 8-5-8v9H6Z" />
      </svg>
      Muster
    </>
  )
}
