// What this process has learnt of hosts: who did not answer when another did goes last next time.

import type { Host } from '../endpoint/race.ts'

/** Hosts remembered; the oldest is forgotten first. */
const HOSTS = 256

export class HostMemory {
	/** In the order in which they failed. */
	readonly #failed = new Map<string, number>()
	#count = 0

	/** The given order, but those that failed behind the others, the latest failure last. */
	order(hosts: readonly Host[]): Host[] {
		const rank = (host: Host): number => this.#failed.get(nameOf(host)) ?? 0
		return hosts.toSorted((a, b) => rank(a) - rank(b))
	}

	failed(host: Host): void {
		const name = nameOf(host)
		this.#failed.delete(name)
		this.#failed.set(name, ++this.#count)
		if (this.#failed.size <= HOSTS) return
		for (const oldest of this.#failed.keys()) {
			this.#failed.delete(oldest)
			return
		}
	}

	answered(host: Host): void {
		this.#failed.delete(nameOf(host))
	}
}

function nameOf({ address, port }: Host): string {
	return `${address}:${port}`
}
