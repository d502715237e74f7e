// What a gateway would load into the kernel, as text for nft -f; changes nothing.

import type { Platform } from '../platform/platform.ts'
import { NftDatapath } from '../platform/nft-datapath.ts'
import type { GatewaySpec } from './gateway-spec.ts'
import { prepareGateway } from './gateway.ts'

/** Stands for the ports that are free when it really starts. */
const FIRST_DIVERT_PORT = 65_000

export async function dryRun(
	spec: GatewaySpec, platform: Platform, write: (text: string) => void,
): Promise<void> {
	const { forwarder, tables } = await prepareGateway(spec, platform)
	const datapath = new NftDatapath(forwarder, {
		wan: spec.wan, lan: spec.lan, routeCounters: false, helper: undefined,
	})
	const diverts = tables.ports.map((_, i) => FIRST_DIVERT_PORT + i)
	for (const text of datapath.ruleset(diverts)) write(text)
}
