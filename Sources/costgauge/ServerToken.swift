/// The token of a server that asks for one.
enum ServerToken {
    static let flag = Flag(
        "token-file", "FILE", "the token for --url, where the server asks for one")
    private static let bytesMax = 64 << 10

    /// The headers that every request to the server carries.
    static func headers(_ arguments: Arguments) throws(UsageError) -> [(
        name: String, value: String
    )] {
        guard let path = arguments["token-file"] else { return [] }
        let bytes: [UInt8]
        do throws(FileError) { bytes = try readFile(path, bytesMax: bytesMax) } catch {
            throw UsageError(description: "--token-file: \(path): cannot read it: \(error.cause)")
        }
        let isBlank: (UInt8) -> Bool = { $0 <= 0x20 }
        let token = String(
            decoding: bytes.drop(while: isBlank).prefix { !isBlank($0) }, as: UTF8.self)
        guard !token.isEmpty else {
            throw UsageError(description: "--token-file: \(path): holds no token")
        }
        return [(name: "Authorization", value: "Bearer \(token)")]
    }
}
