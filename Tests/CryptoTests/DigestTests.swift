import Testing
import Wire

@testable import Crypto

private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

@Suite struct DigestTests {
    @Test func `hashes are those of the standards`() {
        // FIPS 180-4 examples and RFC 4231 test case 2.
        #expect(
            hex(Digest.sha256(Array("abc".utf8).span))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        let none: [UInt8] = []
        #expect(
            hex(Digest.sha256(none.span))
                == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        #expect(
            hex(
                Digest.hmacSHA256(
                    key: Array("Jefe".utf8).span, Array("what do ya want for nothing?".utf8).span))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test(
        arguments: [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ])
    func `Base64 goes both ways`(_ text: String, _ code: String) {
        #expect(Base64.encode(Array(text.utf8)) == code)
        #expect(Base64.decode(code) == Array(text.utf8))
        #expect(Base64.decode(code.replacing("=", with: "")) == Array(text.utf8))
    }

    @Test(arguments: ["Z", "Zg=a", "Zm9v!", "Zm 9v", "====="])
    func `what is no Base64 is refused`(_ code: String) {
        #expect(Base64.decode(code) == nil)
    }
}
