// SPDX-License-Identifier: GPL-2.0-or-later

import Testing

@testable import OptionSyntax

private enum Cache: String, CaseIterable { case none, writeback, writethrough }

@Suite struct PropertyListTests {
  @Test func splitsAndUnescapes() throws {
    var list = try PropertyList("a,,b.img,if=ide,snapshot,nocache", option: "-drive", implied: "file")
    #expect(list.take("file") == "a,b.img")
    #expect(list.take("if") == "ide")
    #expect(try list.takeFlag("snapshot") == true)
    #expect(try list.takeFlag("cache") == false)
    try list.finish()
  }

  @Test func theLastOfTwoCounts() throws {
    var list = try PropertyList("index=1,index=0x2", option: "-drive")
    #expect(try list.takeInteger("index", in: 0...3) == 2)
    #expect(throws: OptionError.self) {
      var list = try PropertyList("index=4", option: "-drive")
      _ = try list.takeInteger("index", in: 0...3)
    }
  }

  @Test func errorsNameTheNearest() throws {
    var list = try PropertyList("fiel=x", option: "-drive")
    _ = list.take("file")
    _ = list.take("format")
    #expect(throws: OptionError("-drive: unknown property 'fiel'; did you mean 'file'?")) {
      try list.finish()
    }
    var other = try PropertyList("cache=writebak", option: "-drive")
    #expect(
      throws: OptionError(
        "-drive: cache=writebak must be one of none, writeback, writethrough; did you mean 'writeback'?")
    ) { _ = try other.takeChoice("cache", of: Cache.self) }
    #expect(nearestName(to: "zzzzzz", in: ["file", "format"]) == nil)
  }

  @Test func sizes() {
    #expect(parseSize("512", unit: 1 << 20) == 512 << 20)
    #expect(parseSize("1.5G") == 3 << 29)
    #expect(parseSize("64k") == 65536)
    #expect(parseSize("99999999999999999999") == nil)
    #expect(parseSize("18446744073709551615G") == nil)
    #expect(parseSize("-1") == nil)
    #expect(parseSize("") == nil)
    #expect(parseSize("M") == nil)
  }
}
