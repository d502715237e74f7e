// Makes what users get in build/: one executable bundle, native packages outside, NaCl's names for
// it, completions and the manual page. A module of Node's own is loaded when the code that imports
// it first runs: a ping pays for no HTTP.

import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { build, type Plugin } from 'esbuild'
import { COMMANDS } from '../src/cli/commands.ts'
import { TOOL_NAMES } from '../src/cli/nacl/tools.ts'
import { bashCompletion, fishCompletion, zshCompletion } from './completions.ts'
import { manual } from './manual.ts'
import { isoDate, sourceDate } from './source-date.ts'

const EXTERNAL = ['koffi', 'node-raw-socket', 'raw-socket', 'serialport']

/** esbuild's ESM output has no require of its own; its CommonJS does not start in this package. */
const BANNER = [
	'#!/usr/bin/env node',
	"import{createRequire as r}from'node:module';const require=r(import.meta.url);",
].join('\n')

/**
 * Turns `import … from 'node:x'` into a module that requires node:x where it is evaluated. Only the
 * names that somebody imports are looked up: to copy all of them costs megabytes and milliseconds.
 */
const lazyNode: Plugin = {
	name: 'lazy-node',
	setup(esbuild) {
		esbuild.onResolve({ filter: /^node:/ }, ({ path, kind, namespace }) =>
			namespace === 'lazy-node' || kind === 'require-call' ? { path, external: true }
				: { path, namespace: 'lazy-node', sideEffects: false })
		esbuild.onLoad({ filter: /.*/, namespace: 'lazy-node' }, async ({ path }) => ({
			contents: [
				`const $node = /* @__PURE__ */ require(${JSON.stringify(path)})`,
				'const $get = (name) => $node[name]',
				'export default $node',
				...Object.keys(await import(path) as object).filter((name) => name !== 'default')
					.map((name) => `export const ${name} = /* @__PURE__ */ $get('${name}')`),
			].join('\n'),
		}))
	},
}

/** The bundle may be copied to where no folder of profiles is. */
const boardsBuiltIn: Plugin = {
	name: 'boards-built-in',
	setup(esbuild) {
		esbuild.onLoad({ filter: /\/service\/boards-built-in\.ts$/ }, () => {
			const files = readdirSync('boards').filter((file) => file.endsWith('.toml'))
			const texts = files.map((file) => [file, readFileSync(`boards/${file}`, 'utf8')] as const)
			return { contents: `export const BUILT_IN = ${JSON.stringify(Object.fromEntries(texts))}` }
		})
	},
}

async function bundle(source: string, target: string): Promise<void> {
	const { metafile } = await build({
		metafile: true,
		entryPoints: [source],
		outfile: target,
		bundle: true,
		platform: 'node',
		format: 'esm',
		target: 'node20',
		minifySyntax: true,
		external: EXTERNAL,
		banner: { js: BANNER },
		plugins: [lazyNode, boardsBuiltIn],
		legalComments: 'none',
		logLevel: 'warning',
	})
	chmodSync(target, 0o755)
	const inside = Object.keys(metafile.inputs)
		.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [])
	// Whoever passes the program on passes these on, with their licences.
	writeFileSync('build/bundled.json', `${JSON.stringify([...new Set(inside)].sort())}\n`)
	console.log(`${target}: ${Math.ceil(statSync(target).size / 1024)} KiB`)
}

/** The same program under another name, by which it knows what it is to do. */
function alias(target: string, name: string): void {
	writeFileSync(target, `#!/usr/bin/env node\nimport './${name}'\n`, { mode: 0o755 })
}

await bundle('src/cli/main.ts', 'build/curvegate')
for (const tool of TOOL_NAMES) alias(`build/${tool}`, 'curvegate')
mkdirSync('build/completions', { recursive: true })
writeFileSync('build/completions/curvegate.bash', bashCompletion(COMMANDS))
writeFileSync('build/completions/_curvegate', zshCompletion(COMMANDS))
writeFileSync('build/completions/curvegate.fish', fishCompletion(COMMANDS))
mkdirSync('build/man', { recursive: true })
writeFileSync('build/man/curvegate.1', manual(COMMANDS, isoDate(sourceDate())))
