// A status as a process would give it, with made-up and fixed figures.

import type { Status } from '../../src/service/status.ts'
import { makeDropCounts } from '../../src/wire/drop.ts'

export function makeStatus(more: Partial<Status>): Status {
	return {
		version: '0.1.0', process: 'run', pid: 4711, uptimeSeconds: 11_045,
		servers: [{
			listen: '127.0.0.1:4000', state: 'serving', publicKey: 'ab'.repeat(32),
			extension: '00'.repeat(16),
			extensionSource: {
				source: 'file:/etc/curvecpextension', note: '/etc/curvecpextension is absent',
			},
			names: [{ name: 'ssh.example', service: 'tcp:127.0.0.1:22', connections: 2 }],
			namesLeftOut: 0, connections: 2,
			port: {
				connections: 2, opened: 9, cookies: 12, packetsReceived: 3000, packetsSent: 4000,
				bytesReceived: 1_000_000, bytesSent: 2_000_000, losses: { ENOBUFS: 1 },
			},
		}],
		connections: [{
			id: 'one', listen: '127.0.0.1:4000', name: 'ssh.example', client: 'cd'.repeat(32),
			peer: '203.0.113.9:5000', state: 'open', ageSeconds: 65, sentBytes: 2_000_000,
			receivedBytes: 1_000_000, rttMs: 12.345, windowBytes: 65_536,
		}, {
			id: 'two', listen: '127.0.0.1:4000', name: 'ssh.example', client: 'ef'.repeat(32),
			peer: '203.0.113.10:5001', state: 'open', ageSeconds: 5, sentBytes: 0, receivedBytes: 0,
			rttMs: null, windowBytes: 0,
		}],
		connectionsLeftOut: 0,
		gateway: {
			wan: 'eth0', lan: 'eth1', address: '192.0.2.1', ports: [4000], datapath: 'nftables',
			reason: 'the fastest, and it works here', routes: 120, forwardedIn: 5000,
			forwardedOut: 6000, drops: makeDropCounts(), losses: {}, notes: [],
		},
		drops: { ...makeDropCounts(), box: 3, replay: 1 },
		memory: { budgetBytes: 100_000_000, usedBytes: 25_000_000, rssBytes: 62_000_000 },
		...more,
	}
}
