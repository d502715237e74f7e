// Quantities as people read them.

/** 3 significant digits: 0.42, 4.2, 42, 420. */
export function decimal(value: number): string {
	if (value >= 99.95 || value === 0) return String(Math.round(value))
	return value.toFixed(value >= 9.995 ? 1 : 2)
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB']

export function amount(bytes: number): string {
	let unit = 0
	let value = bytes
	while (value >= 1000 && unit < UNITS.length - 1) {
		value /= 1024
		unit++
	}
	return `${unit === 0 ? Math.round(value) : decimal(value)} ${UNITS[unit]}`
}

/** 12 s, 3 min, 5 h 2 min, 4 d 3 h. */
export function span(seconds: number): string {
	const minutes = Math.floor(seconds / 60)
	const hours = Math.floor(minutes / 60)
	const days = Math.floor(hours / 24)
	if (days > 0) return `${days} d ${hours % 24} h`
	if (hours > 0) return `${hours} h ${minutes % 60} min`
	return minutes > 0 ? `${minutes} min` : `${Math.floor(seconds)} s`
}

/** What comes from files or other programs moves no cursor. */
export function clean(text: string): string {
	return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?')
}

const BARS = '▁▂▃▄▅▆▇█'

/** The last width values, the greatest as the highest bar; undefined: a gap. */
export function sparkline(values: readonly (number | undefined)[], width: number): string {
	const shown = values.slice(-width)
	const most = Math.max(0, ...shown.map((value) => value ?? 0))
	return shown.map((value) => {
		if (value === undefined) return ' '
		const height = most === 0 ? 0 : Math.ceil((value / most) * BARS.length) - 1
		return BARS[Math.max(0, height)]
	}).join('')
}

/** A bar of width cells, filled by a share of 0 to 1. */
export function gauge(share: number, width: number): string {
	const filled = Math.round(Math.min(1, Math.max(0, share)) * width)
	return '█'.repeat(filled) + '░'.repeat(width - filled)
}
