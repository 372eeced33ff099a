# Libraries for other systems than the one that builds them; part of the Makefile.
#
# Where a compiler or an SDK is missing, a target says which.

CROSS := cross-linux-arm64 cross-linux-arm cross-windows-amd64
CROSS += libsds-android libsds-android-arm64 libsds-android-arm libsds-android-amd64 libsds-android-x86
CROSS += libsds-macos libsds-macos-arm64 libsds-macos-amd64 libsds-ios
.PHONY: cross $(CROSS)

cross:
	@echo 'make cross-linux-arm64     build/linux-arm64/libsds.so and .a (gcc-aarch64-linux-gnu)'
	@echo 'make cross-linux-arm       build/linux-arm/, the same for ARMv7 (gcc-arm-linux-gnueabihf)'
	@echo 'make cross-windows-amd64   build/windows-amd64/libsds.dll, libsds.dll.a, libsds.def (gcc-mingw-w64-x86-64)'
	@echo 'make libsds-android        build/android/<ABI>/libsds.so, of all ABIs or, with -arm64, -arm, -amd64'
	@echo '                           or -x86 behind it, of one (ANDROID_NDK_HOME or ANDROID_NDK_ROOT)'
	@echo 'make libsds-macos          build/macos/libsds.dylib and .a for both architectures, or, with -arm64'
	@echo '                           or -amd64 behind it, build/macos-<arch>/ (a Mac with Xcode'\''s tools)'
	@echo 'make libsds-ios            build/ios/libsds.xcframework, for devices and the simulator (a Mac with Xcode)'

# $(call needs,COMMAND,TARGET,WHAT TO DO): fails where there is no such command.
comma := ,
needs = @command -v '$(1)' >/dev/null || { echo 'make $(2): $(1) is missing: $(3)' >&2; exit 1; }

# $(call go_for,GOOS,GOARCH,CC): GO_BUILD for another system.
go_for = GOOS=$(1) GOARCH=$(2) $(subst CC='$(CC)',CC='$(3)',$(GO_BUILD))

# ---- Linux -------------------------------------------------------------------

CC_linux-arm64 := aarch64-linux-gnu-gcc
CC_linux-arm   := arm-linux-gnueabihf-gcc
GO_linux-arm64  = $(call go_for,linux,arm64,$(CC_linux-arm64))
GO_linux-arm    = GOARM=7 $(call go_for,linux,arm,$(CC_linux-arm))

cross-linux-arm64 cross-linux-arm: cross-%: build/%/libsds.so build/%/libsds.a

build/linux-%/$(SHARED): $(SOURCES) packaging/cross.mk
	$(call needs,$(CC_linux-$*),cross-linux-$*,on Debian: apt-get install $(patsubst %-gcc,gcc-%,$(CC_linux-$*)))
	$(GO_linux-$*) -buildmode=c-shared -ldflags '$(LINK_SHARED)' -o $@ ./capi
	@rm -f $(basename $@).h

.SECONDARY: build/linux-arm64/$(SHARED) build/linux-arm/$(SHARED)

build/linux-%/libsds.so: build/linux-%/$(SHARED)
	ln -sf $(SHARED) $(@D)/$(SONAME)
	ln -sf $(SONAME) $@

# After the shared library, whose check for the compiler it shares.
build/linux-%/libsds.a: build/linux-%/$(SHARED)
	$(GO_linux-$*) -buildmode=c-archive -ldflags '$(LINK_ALL)' -o $@ ./capi
	@rm -f $(basename $@).h

# ---- Windows -----------------------------------------------------------------

MINGW := x86_64-w64-mingw32-gcc
DLL   := build/windows-amd64

cross-windows-amd64: $(DLL)/libsds.dll

# What a DLL exports is what a list says; here, that of the C functions.
$(DLL)/libsds.def: tests/abi/symbols.txt packaging/cross.mk
	@mkdir -p $(@D)
	{ echo 'LIBRARY libsds.dll'; echo 'EXPORTS'; sed 's/^/    /' $<; } > $@

# Go's own c-shared mode would export its bridge functions beside them. Everything of
# the compiler's is linked in, so that a host needs this one file.
$(DLL)/libsds.dll: $(DLL)/libsds.def $(SOURCES) packaging/cross.mk
	$(call needs,$(MINGW),cross-windows-amd64,on Debian: apt-get install gcc-mingw-w64-x86-64)
	$(call go_for,windows,amd64,$(MINGW)) -buildmode=c-archive -ldflags '$(LINK_ALL)' -o $(DLL)/whole.a ./capi
	$(MINGW) -shared -static -s -o $@ $< -Wl,--whole-archive $(DLL)/whole.a -Wl,--no-whole-archive -lpthread \
	    -Wl,--no-insert-timestamp,--out-implib,$(DLL)/libsds.dll.a
	@rm -f $(DLL)/whole.a $(DLL)/whole.h

# ---- Android (not run where this was written: there is no NDK) ------------------

# The oldest system that the library is for; its number is part of the compilers' names.
ANDROID_API := 24
NDK         := $(or $(ANDROID_NDK_HOME),$(ANDROID_NDK_ROOT))
NDK_BIN      = $(NDK)/toolchains/llvm/prebuilt/$(shell uname -s | tr A-Z a-z)-x86_64/bin

libsds-android: libsds-android-arm64 libsds-android-arm libsds-android-amd64 libsds-android-x86

# $(call android,GOARCH,TRIPLE,ABI): an app takes the file by its plain name from the
# folder of its ABI. Pages of newer devices have 16 KiB.
define android
	@test -n '$(NDK)' || { echo 'make $@: neither ANDROID_NDK_HOME nor ANDROID_NDK_ROOT is set: install the NDK and set one to its folder' >&2; exit 1; }
	$(call needs,$(NDK_BIN)/$(2)$(ANDROID_API)-clang,$@,is "$(NDK)" an NDK$(comma) and has it ANDROID_API=$(ANDROID_API)?)
	$(call go_for,android,$(1),$(NDK_BIN)/$(2)$(ANDROID_API)-clang) -buildmode=c-shared \
	    -ldflags '$(LINK_ANDROID)' -o build/android/$(3)/libsds.so ./capi
	@rm -f build/android/$(3)/libsds.h
endef
LINK_ANDROID := $(LINK_ALL) -extldflags "-Wl,-soname,libsds.so -Wl,-z,max-page-size=16384 -Wl,--version-script=$(CURDIR)/include/libsds.map"

libsds-android-arm64:
	$(call android,arm64,aarch64-linux-android,arm64-v8a)

libsds-android-arm: export GOARM := 7
libsds-android-arm:
	$(call android,arm,armv7a-linux-androideabi,armeabi-v7a)

libsds-android-amd64:
	$(call android,amd64,x86_64-linux-android,x86_64)

libsds-android-x86:
	$(call android,386,i686-linux-android,x86)

# ---- macOS and iOS (not run where this was written: they need a Mac) -------------

MACOS_MIN := 12.0
IOS_MIN   := 15.0

# $(call apple,SDK,GOARCH,VERSION FLAG): the compiler for one of Apple's systems.
clang_arch_arm64 := arm64
clang_arch_amd64 := x86_64
apple = xcrun --sdk $(1) clang -arch $(clang_arch_$(2)) $(3)

LINK_MACOS := $(LINK_ALL) -extldflags "-Wl,-install_name,@rpath/libsds.$(ABI).dylib -Wl,-exported_symbol,_Sds*"

libsds-macos-arm64 libsds-macos-amd64: libsds-macos-%:
	$(call needs,xcrun,$@,this needs a Mac with the command line tools of Xcode)
	$(call go_for,darwin,$*,$(call apple,macosx,$*,-mmacosx-version-min=$(MACOS_MIN))) -buildmode=c-shared \
	    -ldflags '$(LINK_MACOS)' -o build/macos-$*/libsds.$(ABI).dylib ./capi
	$(call go_for,darwin,$*,$(call apple,macosx,$*,-mmacosx-version-min=$(MACOS_MIN))) -buildmode=c-archive \
	    -ldflags '$(LINK_ALL)' -o build/macos-$*/libsds.a ./capi
	@rm -f build/macos-$*/libsds.h build/macos-$*/libsds.$(ABI).h
	ln -sf libsds.$(ABI).dylib build/macos-$*/libsds.dylib

libsds-macos: libsds-macos-arm64 libsds-macos-amd64
	@mkdir -p build/macos
	lipo -create build/macos-arm64/libsds.$(ABI).dylib build/macos-amd64/libsds.$(ABI).dylib -output build/macos/libsds.$(ABI).dylib
	lipo -create build/macos-arm64/libsds.a build/macos-amd64/libsds.a -output build/macos/libsds.a
	ln -sf libsds.$(ABI).dylib build/macos/libsds.dylib

# An app for iOS contains its libraries: static ones, in what Xcode takes as one thing.
libsds-ios:
	$(call needs,xcodebuild,$@,this needs a Mac with Xcode)
	$(call go_for,ios,arm64,$(call apple,iphoneos,arm64,-miphoneos-version-min=$(IOS_MIN))) -buildmode=c-archive \
	    -ldflags '$(LINK_ALL)' -o build/ios/device/libsds.a ./capi
	$(call go_for,ios,arm64,$(call apple,iphonesimulator,arm64,-mios-simulator-version-min=$(IOS_MIN))) -buildmode=c-archive \
	    -ldflags '$(LINK_ALL)' -o build/ios/simulator-arm64/libsds.a ./capi
	$(call go_for,ios,amd64,$(call apple,iphonesimulator,amd64,-mios-simulator-version-min=$(IOS_MIN))) -buildmode=c-archive \
	    -ldflags '$(LINK_ALL)' -o build/ios/simulator-amd64/libsds.a ./capi
	@mkdir -p build/ios/simulator build/ios/include
	lipo -create build/ios/simulator-arm64/libsds.a build/ios/simulator-amd64/libsds.a -output build/ios/simulator/libsds.a
	cp include/libsds.h build/ios/include/
	rm -rf build/ios/libsds.xcframework
	xcodebuild -create-xcframework -library build/ios/device/libsds.a -headers build/ios/include \
	    -library build/ios/simulator/libsds.a -headers build/ios/include -output build/ios/libsds.xcframework
