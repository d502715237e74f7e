// The world said no: a port is taken, a file is missing, a tool failed. Thrown only at and above
// platform, and printed to a person as "what happened to which object".

export class Trouble extends Error {
	/** The errno name or a word of ours; for machines. */
	readonly code: string
	/** The thing that it happened to: an address, a path, a command. */
	readonly object: string

	constructor(message: string, code: string, object: string) {
		super(message)
		this.name = 'Trouble'
		this.code = code
		this.object = object
	}
}
