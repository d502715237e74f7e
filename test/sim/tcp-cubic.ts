// The congestion control of a kernel's TCP, as RFC 9438 has it, for the sender of the simulated
// network: what our flows meet at a bottleneck. Linux leaves slow start by HyStart; after that loss
// alone speaks. Nothing is paced.

import { MILLISECOND, SECOND, type Nanos } from '../../src/base/time.ts'
import type { Controller } from '../../src/message/congestion/controller.ts'
import { BLOCK_MAX, messageBytes } from '../../src/message/format.ts'

const FULL = messageBytes(BLOCK_MAX)
const BETA = 0.7
const C = 0.4
const RENO_ALPHA = (3 * (1 - BETA)) / (1 + BETA)
/** HyStart as in Linux: from so many segments on; samples of a round; gaps within a train. */
const LOW_WINDOW = 16
const SAMPLES = 8
const TRAIN_GAP: Nanos = 2 * MILLISECOND

export class TcpCubic implements Controller {
	window = 10 * FULL
	readonly interval = 0
	readonly burst = Infinity
	readonly timeout = 0
	#threshold = Infinity
	/** In segments, as the RFC counts: the window before the last loss, and Reno's estimate. */
	#most = 0
	#estimate = 0
	#epochAt: Nanos = -1
	#k = 0
	#smoothed: Nanos = 0
	#reducedAt: Nanos = -1

	/** HyStart: the least round trip ever and of this round, its samples, its train's last one. */
	#least = Infinity
	#roundLeast = Infinity
	#samples = 0
	#roundAt: Nanos = -1
	#trainAt: Nanos = -1

	onSample(rtt: Nanos, smoothed: Nanos): void {
		this.#smoothed = smoothed
		this.#least = Math.min(this.#least, rtt)
		if (this.#samples++ < SAMPLES) this.#roundLeast = Math.min(this.#roundLeast, rtt)
	}

	onAcked(bytes: number, sentAt: Nanos, limited: boolean, now: Nanos): void {
		if (sentAt <= this.#reducedAt || !limited) return
		if (this.window < this.#threshold) {
			this.window += bytes
			if (this.#hasGrown(sentAt, now)) this.#threshold = this.window
			return
		}
		const segments = this.window / FULL
		if (this.#epochAt < 0) {
			this.#epochAt = now
			this.#most = Math.max(this.#most, segments)
			this.#k = Math.cbrt((this.#most - segments) / C)
			this.#estimate = segments
		}
		this.#estimate += (RENO_ALPHA * bytes) / this.window
		const t = (now - this.#epochAt + this.#smoothed) / SECOND - this.#k
		const target = Math.min(Math.max(C * t ** 3 + this.#most, segments), 1.5 * segments)
		const grown = segments + ((target - segments) * bytes) / this.window
		this.window = Math.max(grown, this.#estimate) * FULL
	}

	onLost(_bytes: number, sentAt: Nanos, now: Nanos): void {
		if (sentAt <= this.#reducedAt) return
		const segments = this.window / FULL
		// Fast convergence: section 4.7.
		this.#most = segments < this.#most ? (segments * (1 + BETA)) / 2 : segments
		this.window = Math.max(2 * FULL, this.window * BETA)
		this.#threshold = this.window
		this.#epochAt = -1
		this.#reducedAt = now
	}

	/** Half a round trip of acknowledgments in a row, or a round trip that is an eighth longer. */
	#hasGrown(sentAt: Nanos, now: Nanos): boolean {
		if (sentAt > this.#roundAt) {
			this.#roundAt = now
			this.#trainAt = now
			this.#roundLeast = Infinity
			this.#samples = 0
		}
		if (this.window < LOW_WINDOW * FULL) return false
		if (now - this.#trainAt <= TRAIN_GAP) {
			this.#trainAt = now
			if (now - this.#roundAt > this.#least / 2) return true
		}
		const grown = Math.min(Math.max(this.#least / 8, 4 * MILLISECOND), 16 * MILLISECOND)
		return this.#samples >= SAMPLES && this.#roundLeast > this.#least + grown
	}

	onRetransmit(): void {}

	onPersistent(): void {
		this.#threshold = this.window / 2
		this.window = FULL
		this.#epochAt = -1
	}

	onSpurious(): void {}

	onNewPath(): void {}
}
