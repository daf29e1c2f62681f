# Finds the installed llama-cpp-python (headers, libraries) and the private sources of the same version,
# patches the latter and defines: HIRED_PIN, HIRED_CLIP_DIR, HIRED_GGML_DIR, HIRED_RPATH, target hired_clip, nanobind.
#
# HIRED_LLAMA_SOURCE=DIR takes the private sources from a folder (an unpacked llama-cpp-python sdist, or the
# llama.cpp tree in it) instead of downloading them.

set(HIRED_LLAMA_SOURCE "" CACHE PATH "Unpacked llama-cpp-python sdist of the pinned version")
set(HIRED_DOWNLOAD_DIR "${CMAKE_SOURCE_DIR}/build/upstream" CACHE PATH "Where downloaded sources are kept")
set(HIRED_SDIST_SHA256 832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e)

# pyproject.toml holds the pin; it stands there twice (build and run), equal.
file(STRINGS "${CMAKE_SOURCE_DIR}/pyproject.toml" _pins REGEX "\"llama-cpp-python==")
list(GET _pins 0 _pin)
string(REGEX REPLACE ".*llama-cpp-python==([0-9.]+).*" "\\1" HIRED_PIN "${_pin}")

find_package(Python 3.10 REQUIRED COMPONENTS Interpreter Development.Module)

# --- the installed wheel -------------------------------------------------------------------------------------
execute_process(
  COMMAND "${Python_EXECUTABLE}" -c
          "import importlib.metadata as m; d = m.distribution('llama-cpp-python'); print(d.version, d.locate_file(''), sep=';')"
  OUTPUT_VARIABLE _wheel ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE _failed)
if(_failed)
  message(FATAL_ERROR "llama-cpp-python ${HIRED_PIN} is not installed for ${Python_EXECUTABLE}. "
                      "Run: pip install llama-cpp-python==${HIRED_PIN}")
endif()
list(GET _wheel 0 _version)
list(GET _wheel 1 _site)
if(NOT _version STREQUAL HIRED_PIN)
  message(FATAL_ERROR "llama-cpp-python ${_version} is installed, hired-gguf needs exactly ${HIRED_PIN}. "
                      "Run: pip install llama-cpp-python==${HIRED_PIN}")
endif()
unset(llama_LIBRARY CACHE) # a build environment's path may be gone by the next run
find_package(ggml REQUIRED CONFIG PATHS "${_site}/lib/cmake" NO_DEFAULT_PATH)
find_package(llama REQUIRED CONFIG PATHS "${_site}/lib/cmake" NO_DEFAULT_PATH)
execute_process(COMMAND "${Python_EXECUTABLE}" -m nanobind --cmake_dir OUTPUT_VARIABLE _nanobind ERROR_QUIET
                OUTPUT_STRIP_TRAILING_WHITESPACE)
find_package(nanobind REQUIRED CONFIG PATHS "${_nanobind}")

# At run time the libraries are those that llama_cpp has loaded already, under the same names.
if(APPLE)
  set(HIRED_RPATH "@loader_path/../llama_cpp/lib")
else()
  set(HIRED_RPATH "$ORIGIN/../llama_cpp/lib")
endif()

# --- the private sources -------------------------------------------------------------------------------------
set(_clip_path tools/mtmd)
# what a ggml device consists of, and how its CPU backend is extended
set(_ggml_headers ggml-backend-impl.h ggml-impl.h ggml-cpu/ggml-cpu-impl.h ggml-cpu/traits.h)
if(HIRED_LLAMA_SOURCE)
  foreach(_try "${HIRED_LLAMA_SOURCE}/vendor/llama.cpp" "${HIRED_LLAMA_SOURCE}")
    if(EXISTS "${_try}/${_clip_path}/clip.cpp")
      set(_source "${_try}/${_clip_path}")
      break()
    endif()
  endforeach()
  if(NOT _source)
    message(FATAL_ERROR "HIRED_LLAMA_SOURCE=${HIRED_LLAMA_SOURCE} holds no ${_clip_path}/clip.cpp. "
                        "Give the folder of an unpacked llama-cpp-python ${HIRED_PIN} sdist.")
  endif()
else()
  set(_name "llama_cpp_python-${HIRED_PIN}")
  set(_sdist "${HIRED_DOWNLOAD_DIR}/${_name}.tar.gz")
  if(NOT EXISTS "${_sdist}")
    message(STATUS "Fetching the source distribution of llama-cpp-python ${HIRED_PIN}")
    execute_process(COMMAND "${Python_EXECUTABLE}" -m pip download --quiet --no-deps --no-binary llama-cpp-python
                            "llama-cpp-python==${HIRED_PIN}" -d "${HIRED_DOWNLOAD_DIR}"
                    RESULT_VARIABLE _failed ERROR_VARIABLE _pip_error)
    if(_failed OR NOT EXISTS "${_sdist}")
      message(FATAL_ERROR "pip could not fetch the source distribution of llama-cpp-python ${HIRED_PIN}. Without "
                          "a network, unpack it yourself and build with "
                          "-C cmake.define.HIRED_LLAMA_SOURCE=DIR. pip said:\n${_pip_error}")
    endif()
  endif()
  file(SHA256 "${_sdist}" _sha256)
  if(NOT _sha256 STREQUAL HIRED_SDIST_SHA256)
    message(FATAL_ERROR "${_sdist} has sha256 ${_sha256}, not ${HIRED_SDIST_SHA256}. Delete it and try again; "
                        "if it comes back so, do not build.")
  endif()
  set(_source "${HIRED_DOWNLOAD_DIR}/${_name}/vendor/llama.cpp/${_clip_path}")
  if(NOT EXISTS "${_source}/clip.cpp" OR NOT EXISTS "${_source}/../../ggml/src/ggml-cpu/traits.h")
    list(TRANSFORM _ggml_headers PREPEND "*/ggml/src/" OUTPUT_VARIABLE _header_patterns)
    file(ARCHIVE_EXTRACT INPUT "${_sdist}" DESTINATION "${HIRED_DOWNLOAD_DIR}"
         PATTERNS "*/${_clip_path}/clip*" "*/${_clip_path}/mtmd*.h" "*/${_clip_path}/models/*"
                  ${_header_patterns})
  endif()
endif()

get_filename_component(HIRED_GGML_DIR "${_source}/../../ggml/src" ABSOLUTE)

# --- the patched copy, renewed when a patch changes ------------------------------------------------------------
set(HIRED_CLIP_DIR "${CMAKE_BINARY_DIR}/clip")
file(GLOB _patches CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/cpp/patches/*.patch")
set(_stamp "${_source}")
foreach(_patch ${_patches})
  file(SHA256 "${_patch}" _hash)
  string(APPEND _stamp "\n${_hash}")
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${_patches})
if(EXISTS "${HIRED_CLIP_DIR}/stamp")
  file(READ "${HIRED_CLIP_DIR}/stamp" _done)
endif()
if(NOT "${_done}" STREQUAL "${_stamp}")
  find_package(Git REQUIRED)
  file(REMOVE_RECURSE "${HIRED_CLIP_DIR}")
  file(GLOB _headers "${_source}/clip*" "${_source}/mtmd*.h")
  file(COPY ${_headers} "${_source}/models" DESTINATION "${HIRED_CLIP_DIR}")
  foreach(_patch ${_patches})
    # The ceiling keeps git from taking a surrounding repository for the tree to patch.
    execute_process(COMMAND "${CMAKE_COMMAND}" -E env "GIT_CEILING_DIRECTORIES=${CMAKE_BINARY_DIR}"
                            "${GIT_EXECUTABLE}" apply "${_patch}"
                    WORKING_DIRECTORY "${HIRED_CLIP_DIR}" RESULT_VARIABLE _failed ERROR_VARIABLE _git_error)
    if(_failed)
      message(FATAL_ERROR "${_patch} does not apply to ${_source}. The sources must be those of llama-cpp-python "
                          "${HIRED_PIN}. git said:\n${_git_error}")
    endif()
  endforeach()
  file(WRITE "${HIRED_CLIP_DIR}/stamp" "${_stamp}")
endif()

# mtmd's image, audio and video helpers stay out: they start ffmpeg on bytes that they cannot decode.
file(GLOB _models "${HIRED_CLIP_DIR}/models/*.cpp")
add_library(hired_clip OBJECT "${HIRED_CLIP_DIR}/clip.cpp" ${_models})
target_include_directories(hired_clip PRIVATE "${HIRED_CLIP_DIR}" "${CMAKE_SOURCE_DIR}/cpp")
target_link_libraries(hired_clip PRIVATE llama ggml::ggml)
target_compile_features(hired_clip PRIVATE cxx_std_17)
# Its headers take most of the compiler's time: a dozen files at once take a third of it.
set_target_properties(hired_clip PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 12)
if(NOT MSVC)
  target_compile_options(hired_clip PRIVATE -w)
endif()
