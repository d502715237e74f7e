// curvegate ping --from-outside: helpers ping an address of ours from where they stand.

import { EXIT_DONE, EXIT_TROUBLE, Trouble } from '../platform/trouble.ts'
import { formatAddress, parseAddress, type Address } from '../service/address.ts'
import { askHelpers, natOf, type Outside } from '../service/outside.ts'
import { ownAddresses } from '../platform/network.ts'
import { addressText } from '../platform/udp.ts'
import type { Arguments } from './arguments.ts'
import { openClient } from './client.ts'
import { printJson, printLine } from './output.ts'
import { clean } from '../service/quantity-text.ts'

export async function pingFromOutside(args: Arguments, address: Address): Promise<number> {
	const helpers = (args.texts('from-outside') ?? []).map(parseAddress)
	const asked = await askHelpers(helpers, address, async (helper, port) =>
		(await openClient(args, 1, helper, port)).client)
	const views = asked.map((view) => {
		if (view instanceof Trouble) throw view
		return view
	})
	const nat = natOf(views, ownAddresses().v4.map(addressText))
	if (args.has('json')) printJson(facts(address, views, nat))
	else printLine([...views.map(viewText), ...nat === undefined ? [] : [nat]].map(clean).join('\n'))
	return views.some(({ found }) => 'cause' in found) ? EXIT_TROUBLE : EXIT_DONE
}

function facts(address: Address, views: readonly Outside[], nat: string | undefined): object {
	return {
		address: formatAddress(address),
		outside: views.map(({ helper, seen, found }) => ({ helper, seen, ...found })),
		...nat === undefined ? {} : { nat },
	}
}

function viewText({ helper, found }: Outside): string {
	if ('cause' in found) return `${helper} does not reach it: ${found.cause}`
	const { answered, handshakeMs, rttMs } = found
	const least = Math.min(...rttMs)
	return `${helper} reaches it: ${answered} answered; handshake ${handshakeMs} ms, `
		+ `least of ${rttMs.length} round trips ${least} ms`
}
