// Text that people paste: into a shell, into ssh_config.

/** Always in single quotes, so that a shell takes every character as it stands. */
export function shellQuote(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`
}

/** In quotes only when it needs them: for paths in messages. */
export function shellWord(text: string): string {
	return /^[\w%+,./:=@-]+$/.test(text) ? text : shellQuote(text)
}

/** ssh replaces %h and the like in a ProxyCommand: a doubled % stands for itself. */
export function sshConfigQuote(text: string): string {
	return shellQuote(text.replaceAll('%', '%%'))
}
