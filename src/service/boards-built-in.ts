// The package's board profiles by file name, for a bundle that stands alone: scripts/bundle.ts puts
// them here. Elsewhere the folder beside is never far.

export const BUILT_IN: Readonly<Record<string, string>> = {}
