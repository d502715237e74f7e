// The version, as --version and status print it. tidy.test.ts holds it against package.json.

export const VERSION = '0.1.0'
