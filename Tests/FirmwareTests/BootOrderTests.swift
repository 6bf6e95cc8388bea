// SPDX-License-Identifier: GPL-2.0-or-later

import PCI
import Testing

@testable import Firmware

@Suite struct BootOrderTests {
  private let candidates = [
    BootOrder.Candidate(letter: "c", path: "/c0"),
    BootOrder.Candidate(letter: "d", path: "/d0"),
    BootOrder.Candidate(letter: "c", index: 2, path: "/c2"),
    BootOrder.Candidate(letter: "n", index: 1, path: "/n1"),
    BootOrder.Candidate(letter: "d", index: 1, path: "/d1"),
    BootOrder.Candidate(letter: "c", path: "/c1"),
  ]

  @Test func indexesComeFirstThenTheOrder() {
    #expect(
      BootOrder.file(candidates, order: "dc", isStrict: false)
        == Array("/n1\n/d1\n/c2\n/d0\n/c0\n/c1\0".utf8))
  }

  @Test func aKernelComesBeforeAll() {
    #expect(
      BootOrder.file(candidates, order: "", isStrict: true, first: ["/rom@genroms/x"])
        == Array("/rom@genroms/x\n/n1\n/d1\n/c2\nHALT\0".utf8))
  }

  @Test func nothingToSayIsAnEmptyFile() {
    #expect(BootOrder.file([], order: "cdn", isStrict: false) == [])
  }

  @Test func paths() {
    #expect(
      FirmwarePath.ideDrive(controller: PCIAddress(1, 1), channel: 0, unit: 1)
        == "/pci@i0cf8/ide@1,1/drive@0/disk@1")
    #expect(FirmwarePath.network(PCIAddress(0x1B)) == "/pci@i0cf8/ethernet@1b/ethernet-phy@0")
    #expect(FirmwarePath.rom("genroms/x.bin") == "/rom@genroms/x.bin")
  }
}
